using System.Collections.Concurrent;
using System.Net;
using Amazon.S3;
using Amazon.S3.Model;

namespace NLDS.BackupAgent.Storage.S3;

/// <summary>The multipart uploads that a bucket still holds parts of, and which of them are this store's own and alive.</summary>
internal sealed class S3UnfinishedUploads(S3ObjectStore store)
{
    private readonly ConcurrentDictionary<string, bool> alive = new(StringComparer.Ordinal);

    public void Began(string uploadId) => alive[uploadId] = true;

    public void Ended(string uploadId) => alive.TryRemove(uploadId, out _);

    public async Task<IReadOnlyList<UnfinishedUpload>> ListAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        List<UnfinishedUpload> found = [];
        var request = new ListMultipartUploadsRequest { BucketName = store.Bucket, Prefix = store.Prefix };
        bool more;
        do
        {
            var page = await store.Client.CallAsync(
                "Listing unfinished uploads", s3 => s3.ListMultipartUploadsAsync(request, cancellationToken), cancellationToken);
            found.AddRange((page.MultipartUploads ?? [])
                .Select(upload => new UnfinishedUpload(upload.Key[store.Prefix.Length..], upload.UploadId, S3ObjectStore.Moment(upload.Initiated)))
                .Where(upload => upload.Since < before && !alive.ContainsKey(upload.Id)));

            // A store that names the same page as the next one has no more to say.
            more = page.IsTruncated == true && (page.NextKeyMarker, page.NextUploadIdMarker) != (request.KeyMarker, request.UploadIdMarker);
            (request.KeyMarker, request.UploadIdMarker) = (page.NextKeyMarker, page.NextUploadIdMarker);
        }
        while (more);
        return [.. found.OrderBy(upload => upload.Since)];
    }

    public Task AbortAsync(UnfinishedUpload upload, CancellationToken cancellationToken) =>
        store.Client.CallAsync(
            $"Aborting the upload of '{upload.Name}'",
            async s3 =>
            {
                try
                {
                    return (await s3.AbortMultipartUploadAsync(
                        new AbortMultipartUploadRequest { BucketName = store.Bucket, Key = store.Prefix + upload.Name, UploadId = upload.Id },
                        cancellationToken)).HttpStatusCode;
                }
                catch (AmazonS3Exception answer) when (answer.ErrorCode == "NoSuchUpload")
                {
                    return HttpStatusCode.NoContent;
                }
            },
            cancellationToken);
}
