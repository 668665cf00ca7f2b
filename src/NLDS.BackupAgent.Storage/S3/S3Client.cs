using System.Net;
using System.Runtime.InteropServices;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace NLDS.BackupAgent.Storage.S3;

/// <summary>The SDK's client as this agent wants it, made at the first use because making it already looks for a region.</summary>
internal sealed class S3Client : IDisposable
{
    private readonly string description;
    private readonly S3HttpClients connections;
    private readonly Lazy<AmazonS3Client> client;

    public S3Client(S3Options options, AWSCredentials? credentials, string description)
    {
        this.description = description;
        connections = new S3HttpClients();
        client = new Lazy<AmazonS3Client>(() => Make(options, credentials, connections));
    }

    public async Task<T> CallAsync<T>(string action, Func<IAmazonS3, Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call(client.Value);
        }
        catch (Exception failure) when (S3Faults.IsFault(failure, cancellationToken))
        {
            throw S3Faults.From(description, action, failure);
        }
    }

    public void Dispose()
    {
        if (client.IsValueCreated)
        {
            client.Value.Dispose();
        }

        connections.Dispose();
    }

    /// <summary>The SDK wants a stream; most callers' memory is an array already.</summary>
    public static MemoryStream Body(ReadOnlyMemory<byte> content) =>
        MemoryMarshal.TryGetArray(content, out var array)
            ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false)
            : new MemoryStream(content.ToArray(), writable: false);

    public static bool IsAbsent(AmazonS3Exception answer) => answer is { StatusCode: HttpStatusCode.NotFound, ErrorCode: "NoSuchKey" };

    public static bool IsTaken(AmazonS3Exception answer) => answer.StatusCode == HttpStatusCode.PreconditionFailed;

    /// <summary>How stores say that they do not know <c>If-None-Match</c> on a write.</summary>
    public static bool IsUnknownHeader(Exception? answer) =>
        answer is AmazonS3Exception { ErrorCode: "NotImplemented" or "InvalidArgument" } or AmazonS3Exception { StatusCode: HttpStatusCode.NotImplemented };

    private static AmazonS3Client Make(S3Options options, AWSCredentials? credentials, S3HttpClients connections)
    {
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.UsesPathStyle,
            MaxErrorRetry = 0,
            HttpClientFactory = connections,

            // The SDK's own checksums need trailers that compatible stores do not know; Content-MD5 is known to all.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        if (options.ServiceUrl is not null)
        {
            config.ServiceURL = options.ServiceUrl;
            config.AuthenticationRegion = options.Region ?? "us-east-1";
        }
        else if (options.Region is not null)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region);
        }

        return credentials is null ? new AmazonS3Client(config) : new AmazonS3Client(credentials, config);
    }
}
