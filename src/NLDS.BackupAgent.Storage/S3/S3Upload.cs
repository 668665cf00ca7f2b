using System.Globalization;
using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;
using Microsoft.Extensions.Logging;

namespace NLDS.BackupAgent.Storage.S3;

/// <summary>A multipart upload. Every way out but a completed object aborts it, because parts that nobody lists are stored and paid for.</summary>
internal sealed partial class S3Upload(
    S3ObjectStore store, ObjectKey key, string uploadId, Protection protection, TimeProvider time, ILogger logger) : IObjectUpload
{
    /// <summary>The abort has its own time, because the caller's token is usually the reason for it.</summary>
    private static readonly TimeSpan AbortTimeout = TimeSpan.FromSeconds(30);

    private readonly UploadParts parts = new(key);
    private bool asked;
    private bool ended;

    public ObjectKey Key => key;

    public async Task PutPartAsync(int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        UploadParts.Check(number, offset, content);
        parts.Forget(number);
        var digest = S3ObjectStore.Digest(content);
        await store.Client.CallAsync(
            $"Storing part {number} of '{key}'",
            s3 => s3.UploadPartAsync(
                new UploadPartRequest
                {
                    BucketName = store.Bucket,
                    Key = store.NameOf(key),
                    UploadId = uploadId,
                    PartNumber = number,
                    PartSize = content.Length,
                    InputStream = S3Client.Body(content),
                    MD5Digest = Convert.ToBase64String(digest),
                    UseChunkEncoding = false,
                },
                cancellationToken),
            cancellationToken);

        // The digest rather than the answer's ETag: the store has just checked it, and the object's own ETag is made of these.
        parts.Record(new UploadParts.Part(number, offset, content.Length, Convert.ToHexStringLower(digest)));
    }

    public async Task<bool> CompleteAsync(CancellationToken cancellationToken)
    {
        var whole = parts.Whole();
        if (await store.HeadWithTagAsync(key, cancellationToken) is { } present)
        {
            if (!asked || !IsOwn(present, whole))
            {
                return false;
            }
        }
        else
        {
            asked = true;
            if (!await CompleteAsync(whole, cancellationToken))
            {
                return false;
            }

            await CheckAsync(whole, cancellationToken);
        }

        await store.Locks.LockAsync(key, protection, cancellationToken);
        return ended = true;
    }

    public async ValueTask DisposeAsync()
    {
        store.EndUpload(uploadId);
        if (ended)
        {
            return;
        }

        ended = true;
        using var limit = new CancellationTokenSource(AbortTimeout, time);
        try
        {
            await store.Client.CallAsync(
                $"Aborting the upload of '{key}'",
                s3 => s3.AbortMultipartUploadAsync(
                    new AbortMultipartUploadRequest { BucketName = store.Bucket, Key = store.NameOf(key), UploadId = uploadId }, limit.Token),
                CancellationToken.None);
        }
        catch (ObjectStoreException failure) when (failure.InnerException is AmazonS3Exception { ErrorCode: "NoSuchUpload" })
        {
            // An abort or a completion whose answer was lost: there is nothing left to free.
        }
        catch (ObjectStoreException failure)
        {
            LogNotAborted(failure, uploadId, key, store.Description);
        }
    }

    private async Task<bool> CompleteAsync(IReadOnlyList<UploadParts.Part> whole, CancellationToken cancellationToken)
    {
        try
        {
            return await SendAsync(whole, conditional: !store.Conditional.AreUseless, cancellationToken);
        }
        catch (ObjectStoreException failure) when (!store.Conditional.AreHonoured && S3Client.IsUnknownHeader(failure.InnerException))
        {
            return await SendAsync(whole, conditional: false, cancellationToken);
        }
    }

    private Task<bool> SendAsync(IReadOnlyList<UploadParts.Part> whole, bool conditional, CancellationToken cancellationToken) =>
        store.Client.CallAsync(
            $"Completing '{key}'",
            async s3 =>
            {
                var request = new CompleteMultipartUploadRequest
                {
                    BucketName = store.Bucket,
                    Key = store.NameOf(key),
                    UploadId = uploadId,
                    PartETags = [.. whole.Select(part => new PartETag(part.Number, part.Tag))],
                    IfNoneMatch = conditional ? "*" : null,
                };
                try
                {
                    await s3.CompleteMultipartUploadAsync(request, cancellationToken);
                    return true;
                }
                catch (AmazonS3Exception answer) when (S3Client.IsTaken(answer))
                {
                    return false;
                }
            },
            cancellationToken);

    /// <summary>The answer proves little (the first one of some stores has no ETag), so the object itself is asked for.</summary>
    private async Task CheckAsync(IReadOnlyList<UploadParts.Part> whole, CancellationToken cancellationToken)
    {
        var sent = whole.Sum(part => (long)part.Bytes);
        var stored = await store.HeadWithTagAsync(key, cancellationToken);
        if (stored?.Info.Bytes != sent)
        {
            throw new ObjectStoreException(
                $"'{key}' in {store.Description} was completed with {sent} bytes, and the store has {stored?.Info.Bytes ?? 0}. Do not rely on this store; "
                + "the object is left there to be looked at.", isPermanent: true);
        }
    }

    /// <summary>
    /// Whether the object is what an earlier try of this upload completed before its answer was lost. S3 and Ceph make a multipart object's ETag
    /// of the parts' MD5 digests; where another store does not, the answer is no and the caller looks at the bytes.
    /// </summary>
    private static bool IsOwn(S3ObjectStore.Tagged present, IReadOnlyList<UploadParts.Part> whole)
    {
        var digests = whole.SelectMany(part => Convert.FromHexString(part.Tag)).ToArray();
        var tag = string.Create(CultureInfo.InvariantCulture, $"{Convert.ToHexStringLower(MD5.HashData(digests))}-{whole.Count}");
        return present.Info.Bytes == whole.Sum(part => (long)part.Bytes) && present.Tag.Trim('"') == tag;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The multipart upload {UploadId} of '{Key}' in {Store} was not aborted; its parts still take up space. "
        + "Give the bucket a lifecycle rule AbortIncompleteMultipartUpload.")]
    private partial void LogNotAborted(Exception failure, string uploadId, ObjectKey key, string store);
}
