using System.Collections.Concurrent;
using System.Net;
using Amazon.S3;
using Amazon.S3.Model;

namespace NLDS.BackupAgent.Storage.S3;

/// <summary>
/// Locks what is sealed, and asks before a delete. Object Lock needs a versioned bucket, and there a plain DELETE of a locked object succeeds: it hides the
/// object and keeps its bytes. So the store is asked for each object's lock first, and one that is locked is left in sight.
/// </summary>
internal sealed class S3ObjectLock(ObjectLockOptions options, S3ObjectStore store, TimeProvider time)
{
    /// <summary>Questions at once; a backup has a handful of objects and a month of log some thousands.</summary>
    private const int ParallelQuestions = 16;

    private const string NoLock = "NoSuchObjectLockConfiguration";
    private const string NoLockOnBucket = "ObjectLockConfigurationNotFoundError";

    /// <summary>Ceph says of an object what others say of a bucket.</summary>
    private const string NoLockOnCeph = NoLockOnBucket;

    private bool IsOn => options.Mode != RetentionMode.None;

    private ObjectLockMode Mode => options.Mode == RetentionMode.Compliance ? ObjectLockMode.Compliance : ObjectLockMode.Governance;

    private ObjectLockRetentionMode RetentionWord =>
        options.Mode == RetentionMode.Compliance ? ObjectLockRetentionMode.Compliance : ObjectLockRetentionMode.Governance;

    private DateTime RetainUntil => time.GetUtcNow().UtcDateTime.AddDays(options.RetainDays ?? 0);

    public void Apply(PutObjectRequest request, Protection protection)
    {
        if (IsOn && protection == Protection.Locked)
        {
            request.ObjectLockMode = Mode;
            request.ObjectLockRetainUntilDate = RetainUntil;
        }
    }

    public void Apply(InitiateMultipartUploadRequest request, Protection protection)
    {
        if (IsOn && protection == Protection.Locked)
        {
            request.ObjectLockMode = Mode;
            request.ObjectLockRetainUntilDate = RetainUntil;
        }
    }

    /// <summary>
    /// Locks what has just been completed. Ceph 16 passes over the lock that a multipart upload was begun with, and where it was kept its time began with
    /// the upload; from here it counts from now.
    /// </summary>
    public async Task LockAsync(ObjectKey key, Protection protection, CancellationToken cancellationToken)
    {
        if (IsOn && protection == Protection.Locked)
        {
            await store.Client.CallAsync($"Locking '{key}'", s3 => LockAsync(s3, key, cancellationToken), cancellationToken);
        }
    }

    /// <exception cref="ObjectStoreException">Locks are asked for and the bucket cannot give them.</exception>
    public async Task RequireAsync(CancellationToken cancellationToken)
    {
        if (IsOn && !await store.Client.CallAsync("Asking for the bucket's Object Lock", s3 => IsEnabledAsync(s3, cancellationToken), cancellationToken))
        {
            throw Missing(answer: null);
        }
    }

    /// <summary>What a put with a lock is answered by a bucket that has no Object Lock; the code is used for other mistakes too, which this agent does not make.</summary>
    public static bool IsRefusal(AmazonS3Exception answer) => answer.ErrorCode == "InvalidRequest";

    public ObjectStoreException Missing(AmazonS3Exception? answer) => new(
        $"The bucket of {store.Description} has no Object Lock, which Storage:S3:ObjectLock:Mode {options.Mode} needs. Enable it on the bucket "
        + "(some stores can only when a bucket is created), use a bucket that has it, or set the mode to None.",
        isPermanent: true,
        answer);

    /// <summary>Those of the objects that are locked now.</summary>
    public async Task<IReadOnlyList<LockedObject>> FindLockedAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken)
    {
        var locked = new ConcurrentBag<LockedObject>();
        if (IsOn)
        {
            await Parallel.ForEachAsync(
                keys,
                new ParallelOptions { MaxDegreeOfParallelism = ParallelQuestions, CancellationToken = cancellationToken },
                async (key, token) =>
                {
                    var until = await store.Client.CallAsync($"Asking for the lock of '{key}'", s3 => LockedUntilAsync(s3, key, token), token);
                    if (until > time.GetUtcNow())
                    {
                        locked.Add(new LockedObject(key, until.Value));
                    }
                });
        }

        return [.. locked.OrderBy(found => found.Key)];
    }

    private async Task<bool> IsEnabledAsync(IAmazonS3 s3, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await s3.GetObjectLockConfigurationAsync(new GetObjectLockConfigurationRequest { BucketName = store.Bucket }, cancellationToken);
            return answer.ObjectLockConfiguration?.ObjectLockEnabled == ObjectLockEnabled.Enabled;
        }
        catch (AmazonS3Exception answer) when (answer.ErrorCode == NoLockOnBucket)
        {
            return false;
        }
    }

    private async Task<HttpStatusCode> LockAsync(IAmazonS3 s3, ObjectKey key, CancellationToken cancellationToken)
    {
        try
        {
            var request = new PutObjectRetentionRequest
            {
                BucketName = store.Bucket,
                Key = store.NameOf(key),
                Retention = new ObjectLockRetention { Mode = RetentionWord, RetainUntilDate = RetainUntil },
            };
            return (await s3.PutObjectRetentionAsync(request, cancellationToken)).HttpStatusCode;
        }
        catch (AmazonS3Exception answer) when (IsRefusal(answer))
        {
            throw Missing(answer);
        }
    }

    /// <summary>Null for an object that has no lock or is absent.</summary>
    private async Task<DateTimeOffset?> LockedUntilAsync(IAmazonS3 s3, ObjectKey key, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await s3.GetObjectRetentionAsync(
                new GetObjectRetentionRequest { BucketName = store.Bucket, Key = store.NameOf(key) }, cancellationToken);
            return answer.Retention?.RetainUntilDate is { } until ? new DateTimeOffset(until.ToUniversalTime()) : null;
        }
        catch (AmazonS3Exception answer) when (answer is { ErrorCode: NoLock or NoLockOnCeph or "NoSuchKey" }
            or { StatusCode: HttpStatusCode.MethodNotAllowed } || IsRefusal(answer))
        {
            // 405 is the answer for a name whose newest version is a delete marker, a refusal that of a bucket that locks nothing.
            return null;
        }
    }
}
