using System.Security.Cryptography;
using System.Text;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// Small files beside a log, as they are (timeline histories), each with its proof beside it as <c>sha256sum</c> writes it: <c>sha256sum -c</c> checks it by hand.
/// With a key the proof is authenticated, in a comment that <c>sha256sum</c> passes over.
/// </summary>
internal sealed class LogFiles(IObjectStore store, DocumentStore documents)
{
    /// <summary>Stores a file, its proof first, unless the same bytes are there already.</summary>
    /// <exception cref="LogDivergedException">A file of that name has other content.</exception>
    public async Task PutAsync(ObjectKey file, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var (proof, line) = (ProofName(file), Line(file, content.Span));
        byte[] authenticated = documents.Keys.Writing is { } key ? [.. line, .. Authenticator.Line(Authenticator.Form.Checksum, key, proof, line)] : line;

        // A proof from before encryption, or by an older key, says the same in its first line.
        if (!await store.PutIfAbsentAsync(proof, authenticated, Protection.Locked, cancellationToken)
            && !(await store.ReadAllAsync(proof, cancellationToken)).AsSpan().StartsWith(line))
        {
            throw Diverged(proof);
        }

        if (!await store.PutIfAbsentAsync(file, content, Protection.Locked, cancellationToken)
            && !(await store.ReadAllAsync(file, cancellationToken)).AsSpan().SequenceEqual(content.Span))
        {
            throw Diverged(file);
        }
    }

    /// <exception cref="ObjectNotFoundException">The store said that there is none.</exception>
    /// <exception cref="NotRestorableException">It is damaged, or its proof is, or no holder of the key wrote that.</exception>
    public async Task<byte[]> ReadAsync(ObjectKey file, CancellationToken cancellationToken)
    {
        var content = await store.ReadAllAsync(file, cancellationToken);
        var name = ProofName(file);
        byte[] proof;
        try
        {
            proof = await store.ReadAllAsync(name, cancellationToken);
        }
        catch (ObjectNotFoundException)
        {
            throw new NotRestorableException($"The object '{name}' is missing from the repository: '{file}' cannot be proved.");
        }

        var authenticator = Authenticator.Find(Authenticator.Form.Checksum, proof);
        if (!proof.AsSpan(0, authenticator?.AuthenticatedBytes ?? proof.Length).SequenceEqual(Line(file, content)))
        {
            throw new NotRestorableException($"The object '{file}' is damaged: it does not have the SHA-256 that '{name}' says.");
        }

        return await documents.Trust.FindFaultAsync(name, proof, authenticator, cancellationToken) is { } fault ? throw new NotRestorableException(fault) : content;
    }

    private static ObjectKey ProofName(ObjectKey file) => new(file.Value + DocumentStore.ChecksumSuffix);

    private static byte[] Line(ObjectKey file, ReadOnlySpan<byte> content) =>
        Encoding.UTF8.GetBytes($"{Convert.ToHexStringLower(SHA256.HashData(content))}  {file.Name}\n");

    private static LogDivergedException Diverged(ObjectKey taken) =>
        new($"The repository holds another '{taken}' than the server has. They come from different lines of history.");
}
