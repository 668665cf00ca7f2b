using System.Buffers.Binary;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>
/// UPLOAD_MANIFEST (manual, "Streaming Replication Protocol"; PostgreSQL 17 and later): tells the server which backup an incremental one is to hold the changes
/// since. The manifest goes as it came, byte for byte: the server proves it by its own checksum.
/// </summary>
internal static class ManifestUpload
{
    private const int ChunkBytes = 64 << 10;

    /// <exception cref="PostgresServerException">The server does not take it; the connection goes on.</exception>
    /// <exception cref="ConnectionLostException">The connection broke.</exception>
    public static async Task UploadManifestAsync(this ReplicationConnection connection, Stream manifest, CancellationToken cancellationToken)
    {
        await connection.SendCommandAsync("UPLOAD_MANIFEST", cancellationToken);
        var answer = await connection.ReceiveAsync(cancellationToken);
        if (answer.Type == (byte)'E')
        {
            throw await connection.FailAsync(answer, cancellationToken);
        }

        if (answer.Type != (byte)'G') // CopyInResponse
        {
            throw ProtocolException.Unexpected(answer.Type, "the upload of a manifest");
        }

        try
        {
            await CopyAsync(connection.Writer, manifest, cancellationToken);
        }
        catch (Exception failure) when (failure is not (ConnectionLostException or OperationCanceledException))
        {
            await AbandonAsync(connection, cancellationToken);
            throw;
        }

        await connection.Writer.SendAsync(MessageBuilder.CopyDone(), cancellationToken);
        while (await connection.ReceiveResultAsync(cancellationToken) is not null)
        {
            // UPLOAD_MANIFEST's own completion.
        }
    }

    /// <summary>Every message takes the one before's buffer: of a million files the manifest has 140 MB.</summary>
    internal static async Task CopyAsync(MessageWriter writer, Stream manifest, CancellationToken cancellationToken)
    {
        const int headerBytes = sizeof(byte) + sizeof(int);
        var message = new byte[headerBytes + ChunkBytes];
        message[0] = (byte)'d'; // CopyData
        while (await manifest.ReadAtLeastAsync(message.AsMemory(headerBytes), ChunkBytes, throwOnEndOfStream: false, cancellationToken) is var count && count > 0)
        {
            BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(sizeof(byte)), sizeof(int) + count);
            await writer.SendAsync(message.AsMemory(0, headerBytes + count), cancellationToken);
        }
    }

    /// <summary>The manifest could not be read; the server waits for the rest of it.</summary>
    private static async Task AbandonAsync(ReplicationConnection connection, CancellationToken cancellationToken)
    {
        await connection.Writer.SendAsync(MessageBuilder.CopyFail("the manifest could not be read"), cancellationToken);
        try
        {
            await connection.ReceiveResultAsync(cancellationToken);
        }
        catch (PostgresServerException)
        {
            // As was asked for.
        }
    }
}
