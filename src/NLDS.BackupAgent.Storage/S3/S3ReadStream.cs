using Amazon.S3.Model;

namespace NLDS.BackupAgent.Storage.S3;

/// <summary>An answer's body, which must be as long as the answer's head said.</summary>
internal sealed class S3ReadStream(GetObjectResponse response, string store, ObjectKey key) : ForwardReadStream
{
    private readonly long announced = response.ContentLength;
    private long position;

    public override string? Version => response.ETag;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var wanted = (int)Math.Min(buffer.Length, announced - position);
        if (wanted == 0)
        {
            return 0;
        }

        var read = await ReadSomeAsync(buffer[..wanted], cancellationToken);
        if (read == 0)
        {
            throw new ObjectStoreException(
                $"Reading '{key}' in {store} ended after {position} of the {announced} bytes that the store announced.", isPermanent: false);
        }

        position += read;
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        response.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask<int> ReadSomeAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await response.ResponseStream.ReadAsync(buffer, cancellationToken);
        }
        catch (Exception failure) when (S3Faults.IsFault(failure, cancellationToken))
        {
            throw S3Faults.From(store, $"Reading '{key}' at byte {position}", failure);
        }
    }
}
