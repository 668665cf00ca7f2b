using System.Buffers;
using System.Security.Cryptography;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>The last stretch of an object's way in: encryption where there is a key, SHA-256 of what is stored, upload. For one caller at a time.</summary>
/// <param name="key">What it is encrypted with; null for not at all.</param>
/// <param name="hashes">False where the caller hashes the very bytes that are stored.</param>
internal sealed class StoredWriter(ObjectWriter upload, RepositoryKey? key, bool hashes = true) : IAsyncDisposable
{
    private readonly ObjectEncryptor? encryptor = key is null ? null : new ObjectEncryptor(key, upload.Key);
    private readonly ArrayBufferWriter<byte> encrypted = new();
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public ObjectKey Key => upload.Key;

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (encryptor is null)
        {
            await PutAsync(bytes, cancellationToken);
            return;
        }

        encryptor.Write(bytes.Span, encrypted);
        await PutEncryptedAsync(cancellationToken);
    }

    /// <summary>Ends the content.</summary>
    /// <returns>The length and SHA-256 of all that is stored, lower-case hexadecimal; of nothing, unless it was to be hashed.</returns>
    public async ValueTask<(long Bytes, string Sha256)> EndAsync(CancellationToken cancellationToken)
    {
        if (encryptor is not null)
        {
            encryptor.End(encrypted);
            await PutEncryptedAsync(cancellationToken);
        }

        return (upload.Length, Convert.ToHexStringLower(hash.GetCurrentHash()));
    }

    /// <summary>Makes the object durable, with <paramref name="behind"/> as its last bytes. False when the name was taken; then nothing has changed there.</summary>
    public async Task<bool> SealAsync(ReadOnlyMemory<byte> behind, CancellationToken cancellationToken)
    {
        await upload.WriteAsync(behind, cancellationToken);
        return await upload.SealAsync(cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        encryptor?.Dispose();
        hash.Dispose();
        return upload.DisposeAsync();
    }

    private async ValueTask PutEncryptedAsync(CancellationToken cancellationToken)
    {
        await PutAsync(encrypted.WrittenMemory, cancellationToken);
        encrypted.ResetWrittenCount();
    }

    private ValueTask PutAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (hashes)
        {
            hash.AppendData(bytes.Span);
        }

        return upload.WriteAsync(bytes, cancellationToken);
    }
}
