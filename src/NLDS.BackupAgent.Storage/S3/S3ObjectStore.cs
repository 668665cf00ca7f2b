using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Microsoft.Extensions.Logging;

namespace NLDS.BackupAgent.Storage.S3;

/// <summary>
/// Objects in a bucket. Written against what S3-compatible stores share: Content-MD5 on each write so that the store checks the bytes itself,
/// If-None-Match where the store honours it, and no belief in an absence that only a bare 404 tells.
/// </summary>
internal sealed class S3ObjectStore : IObjectStore, IDisposable
{
    /// <summary>S3's limit for one DeleteObjects, and its page of a listing.</summary>
    private const int BatchSize = 1_000;

    /// <summary>Finding out whether If-None-Match works puts the same bytes twice; larger objects leave it to the next small one.</summary>
    private const int LargestProbe = 1 << 20;

    private readonly S3UnfinishedUploads unfinished;
    private readonly TimeProvider time;
    private readonly ILogger logger;

    /// <param name="credentials">Null for the SDK's own chain.</param>
    public S3ObjectStore(S3Options options, AWSCredentials? credentials, TimeProvider time, ILogger<S3ObjectStore> logger)
    {
        Bucket = options.Bucket!;
        PartBytes = options.PartSizeBytes;
        Prefix = options.Prefix.Trim('/') is { Length: > 0 } folder ? folder + "/" : "";
        Description = $"s3://{Bucket}/{Prefix}".TrimEnd('/');
        Client = new S3Client(options, credentials, Description);
        Conditional = new S3ConditionalPuts(options.ConditionalPut, Description, logger);
        Locks = new S3ObjectLock(options.ObjectLock, this, time);
        unfinished = new S3UnfinishedUploads(this);
        this.time = time;
        this.logger = logger;
    }

    public string Description { get; }

    public int PartBytes { get; }

    public bool? RefusesReplacement => Conditional.AreHonoured ? true : Conditional.AreUseless ? false : null;

    internal string Bucket { get; }

    /// <summary>Empty, or a folder that ends in a slash.</summary>
    internal string Prefix { get; }

    internal S3Client Client { get; }

    internal S3ConditionalPuts Conditional { get; }

    internal S3ObjectLock Locks { get; }

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        PutIfAbsentAsync(key, content, Protection.None, cancellationToken);

    public async Task<bool> PutIfAbsentAsync(
        ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, CancellationToken cancellationToken)
    {
        if (Conditional.AreHonoured)
        {
            return await PutAsync(key, content, protection, conditional: true, cancellationToken);
        }

        if (await HeadAsync(key, cancellationToken) is not null)
        {
            return false;
        }

        return Conditional.AreUseless
            ? await PutAsync(key, content, protection, conditional: false, cancellationToken)
            : await PutAndLearnAsync(key, content, protection, cancellationToken);
    }

    public async Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        await PutAsync(key, content, Protection.None, conditional: false, cancellationToken);

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        BeginUploadAsync(key, Protection.None, cancellationToken);

    public async Task<IObjectUpload> BeginUploadAsync(ObjectKey key, Protection protection, CancellationToken cancellationToken)
    {
        var request = new InitiateMultipartUploadRequest { BucketName = Bucket, Key = NameOf(key) };
        Locks.Apply(request, protection);
        var begun = await Client.CallAsync(
            $"Beginning '{key}'", s3 => BeginAsync(s3, request, cancellationToken), cancellationToken);
        unfinished.Began(begun.UploadId);
        return new S3Upload(this, key, begun.UploadId, protection, time, logger);
    }

    public async Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length ?? 0, nameof(length));
        if (length == 0)
        {
            return await HeadAsync(key, cancellationToken) is null ? throw new ObjectNotFoundException(key, Description) : Stream.Null;
        }

        var range = (offset, length) switch
        {
            (0, null) => null,
            (_, null) => new ByteRange($"bytes={offset}-"),
            _ => new ByteRange(offset, checked(offset + length.Value - 1)),
        };
        return await Client.CallAsync($"Opening '{key}'", s3 => GetAsync(s3, key, range, offset, cancellationToken), cancellationToken);
    }

    public async Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        (await HeadWithTagAsync(key, cancellationToken))?.Info;

    public async IAsyncEnumerable<ObjectInfo> ListAsync(
        string prefix, ObjectKey? startAfter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new ListObjectsV2Request
        {
            BucketName = Bucket,
            Prefix = Prefix + prefix,
            StartAfter = startAfter is { } after ? NameOf(after) : null,
            MaxKeys = BatchSize,
        };
        do
        {
            var page = await Client.CallAsync("Listing", s3 => s3.ListObjectsV2Async(request, cancellationToken), cancellationToken);
            foreach (var found in page.S3Objects ?? [])
            {
                // What is no key was not put here by this store: folder markers, other programs' objects.
                if (ObjectKey.TryParse(found.Key[Prefix.Length..], out var key))
                {
                    yield return new ObjectInfo(key, found.Size ?? 0, Moment(found.LastModified));
                }
            }

            request.ContinuationToken = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (request.ContinuationToken is not null);
    }

    public async Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken)
    {
        var locked = await Locks.FindLockedAsync(keys, cancellationToken);
        foreach (var batch in keys.Except(locked.Select(kept => kept.Key)).Chunk(BatchSize))
        {
            var request = new DeleteObjectsRequest
            {
                BucketName = Bucket,
                Objects = [.. batch.Select(key => new KeyVersion { Key = NameOf(key) })],
                Quiet = true,
            };
            var errors = await Client.CallAsync(
                $"Deleting {batch.Length} objects", s3 => ErrorsOfDeleteAsync(s3, request, cancellationToken), cancellationToken);
            if (errors.FirstOrDefault(error => error.Code != "NoSuchKey") is { } first)
            {
                throw new ObjectStoreException(
                    $"Deleting in {Description} failed for {errors.Count} of {batch.Length} objects, among them '{first.Key}': {first.Code} {first.Message}. "
                    + "Allow s3:DeleteObject, and check Object Lock.", S3Faults.IsPermanent(first.Code));
            }
        }

        if (locked.Count > 0)
        {
            throw ObjectStoreException.KeptByLocks(Description, locked, keys.Count);
        }
    }

    public Task RequireProtectionAsync(CancellationToken cancellationToken) => Locks.RequireAsync(cancellationToken);

    public Task<IReadOnlyList<UnfinishedUpload>> ListUnfinishedUploadsAsync(DateTimeOffset before, CancellationToken cancellationToken) =>
        unfinished.ListAsync(before, cancellationToken);

    public Task AbortUploadAsync(UnfinishedUpload upload, CancellationToken cancellationToken) => unfinished.AbortAsync(upload, cancellationToken);

    public void Dispose() => Client.Dispose();

    internal static byte[] Digest(ReadOnlyMemory<byte> content) => MD5.HashData(content.Span);

    internal string NameOf(ObjectKey key) => Prefix + key.Value;

    /// <summary>An upload of this store has ended, well or not: whatever the bucket still holds of it is left over.</summary>
    internal void EndUpload(string uploadId) => unfinished.Ended(uploadId);

    /// <summary>
    /// Null only when the store has said so in words. A HEAD's 404 has no body: it may as well mean that there is no such bucket, or come from
    /// a proxy. A listing of that one name tells them apart.
    /// </summary>
    internal async Task<Tagged?> HeadWithTagAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        var action = $"Looking for '{key}'";
        var head = await Client.CallAsync(action, s3 => HeadAsync(s3, key, cancellationToken), cancellationToken);
        if (head is not null)
        {
            return new Tagged(new ObjectInfo(key, head.ContentLength, Moment(head.LastModified)), head.ETag ?? "");
        }

        var request = new ListObjectsV2Request { BucketName = Bucket, Prefix = NameOf(key), MaxKeys = 1 };
        var page = await Client.CallAsync(action, s3 => s3.ListObjectsV2Async(request, cancellationToken), cancellationToken);
        return page.S3Objects?.FirstOrDefault(found => found.Key == request.Prefix) is { } late
            ? new Tagged(new ObjectInfo(key, late.Size ?? 0, Moment(late.LastModified)), late.ETag ?? "")
            : null;
    }

    internal static DateTimeOffset Moment(DateTime? time) =>
        time is { } known ? new DateTimeOffset(known.ToUniversalTime()) : DateTimeOffset.UnixEpoch;

    private async Task<bool> PutAndLearnAsync(
        ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, CancellationToken cancellationToken)
    {
        try
        {
            if (!await PutAsync(key, content, protection, conditional: true, cancellationToken))
            {
                Conditional.Confirm();
                return false;
            }
        }
        catch (ObjectStoreException failure) when (S3Client.IsUnknownHeader(failure.InnerException))
        {
            await PutAsync(key, content, protection, conditional: false, cancellationToken);
            Conditional.GiveUp("does not know");
            return true;
        }

        if (content.Length <= LargestProbe)
        {
            await ProbeAsync(key, content, protection, cancellationToken);
        }

        return true;
    }

    /// <summary>Puts the same bytes under the same name again: a store that honours the header refuses, and one that does not has changed nothing.</summary>
    private async Task ProbeAsync(ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, CancellationToken cancellationToken)
    {
        try
        {
            if (await PutAsync(key, content, protection, conditional: true, cancellationToken))
            {
                Conditional.GiveUp("ignores");
            }
            else
            {
                Conditional.Confirm();
            }
        }
        catch (ObjectStoreException)
        {
            // The object itself is stored, which is what was asked for. The next put finds out.
        }
    }

    private Task<bool> PutAsync(
        ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, bool conditional, CancellationToken cancellationToken) =>
        Client.CallAsync(
            $"Storing '{key}'",
            async s3 =>
            {
                var request = new PutObjectRequest
                {
                    BucketName = Bucket,
                    Key = NameOf(key),
                    InputStream = S3Client.Body(content),
                    MD5Digest = Convert.ToBase64String(Digest(content)),
                    IfNoneMatch = conditional ? "*" : null,
                    UseChunkEncoding = false,
                };
                Locks.Apply(request, protection);
                try
                {
                    await s3.PutObjectAsync(request, cancellationToken);
                    return true;
                }
                catch (AmazonS3Exception answer) when (conditional && S3Client.IsTaken(answer))
                {
                    return false;
                }
                catch (AmazonS3Exception answer) when (request.ObjectLockMode is not null && S3ObjectLock.IsRefusal(answer))
                {
                    throw Locks.Missing(answer);
                }
            },
            cancellationToken);

    private async Task<InitiateMultipartUploadResponse> BeginAsync(
        IAmazonS3 s3, InitiateMultipartUploadRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await s3.InitiateMultipartUploadAsync(request, cancellationToken);
        }
        catch (AmazonS3Exception answer) when (request.ObjectLockMode is not null && S3ObjectLock.IsRefusal(answer))
        {
            throw Locks.Missing(answer);
        }
    }

    private async Task<Stream> GetAsync(IAmazonS3 s3, ObjectKey key, ByteRange? range, long offset, CancellationToken cancellationToken)
    {
        try
        {
            var request = new GetObjectRequest { BucketName = Bucket, Key = NameOf(key), ByteRange = range };
            var response = await s3.GetObjectAsync(request, cancellationToken);
            if (range is not null && response.HttpStatusCode != HttpStatusCode.PartialContent)
            {
                response.Dispose();
                throw new ObjectStoreException(
                    $"{Description} sent all of '{key}' where bytes from {offset} were asked for. Use a store that honours ranges.", isPermanent: true);
            }

            // The SDK says 0 where the answer says nothing, and then a part of the body could not be told from the whole.
            if (response.ContentLength <= 0 && await response.ResponseStream.ReadAsync(new byte[1], cancellationToken) > 0)
            {
                response.Dispose();
                throw new ObjectStoreException(
                    $"{Description} sent '{key}' without saying how long it is, which S3 always says. See what stands between the agent and the store.", isPermanent: false);
            }

            return new S3ReadStream(response, Description, key);
        }
        catch (AmazonS3Exception answer) when (S3Client.IsAbsent(answer))
        {
            throw new ObjectNotFoundException(key, Description);
        }
        catch (AmazonS3Exception answer) when (answer.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            return Stream.Null;
        }
    }

    private async Task<GetObjectMetadataResponse?> HeadAsync(IAmazonS3 s3, ObjectKey key, CancellationToken cancellationToken)
    {
        try
        {
            return await s3.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = Bucket, Key = NameOf(key) }, cancellationToken);
        }
        catch (AmazonS3Exception answer) when (answer.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    private static async Task<List<DeleteError>> ErrorsOfDeleteAsync(IAmazonS3 s3, DeleteObjectsRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return (await s3.DeleteObjectsAsync(request, cancellationToken)).DeleteErrors ?? [];
        }
        catch (DeleteObjectsException partly)
        {
            return partly.Response.DeleteErrors;
        }
    }

    /// <param name="Info">What every store says.</param>
    /// <param name="Tag">The entity tag, as the store wrote it.</param>
    internal readonly record struct Tagged(ObjectInfo Info, string Tag);
}
