using System.Text.Json.Serialization.Metadata;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Documents;

/// <summary>
/// A folder of small documents that a floor above keeps in the repository. Like all of the repository's own they prove themselves, and are authenticated where there
/// is a key.
/// </summary>
public sealed class DocumentFolder
{
    private readonly BackupRepository repository;
    private readonly string path;

    internal DocumentFolder(BackupRepository repository, string path) => (this.repository, this.path) = (repository, path);

    /// <summary>Puts a document that is never changed.</summary>
    /// <param name="name">Within the folder: <c>20261123_140317.json</c>.</param>
    /// <returns>False when the name is taken by another; a put whose answer was lost finds its own.</returns>
    public async Task<bool> PutAsync<T>(string name, T document, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        await repository.PrepareAsync(cancellationToken);
        return await repository.Documents.PutAsync(Key(name), document, type, cancellationToken);
    }

    /// <summary>Puts a document that is a register by nature, whatever was there.</summary>
    public async Task ReplaceAsync<T>(string name, T document, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        await repository.PrepareAsync(cancellationToken);
        await repository.Documents.ReplaceAsync(Key(name), document, type, cancellationToken);
    }

    /// <summary>The document, or null when the store said that it is absent.</summary>
    /// <exception cref="NotRestorableException">It is damaged, or not written by a holder of the key.</exception>
    public Task<T?> FindAsync<T>(string name, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class => repository.Documents.FindAsync(Key(name), type, cancellationToken);

    /// <summary>Puts a file that is no document of the repository's own, such as a page for people.</summary>
    /// <returns>False when the name is taken.</returns>
    public Task<bool> PutFileAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        repository.Store.PutIfAbsentAsync(Key(name), content, cancellationToken);

    /// <summary>Names within the folder and those below it, in ordinal order.</summary>
    public async Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken)
    {
        var names = new List<string>();
        await foreach (var entry in repository.Store.ListAsync(path + "/", null, cancellationToken))
        {
            names.Add(entry.Key.Value[(path.Length + 1)..]);
        }

        return names;
    }

    public Task DeleteAsync(IEnumerable<string> names, CancellationToken cancellationToken) =>
        repository.Store.DeleteAsync([.. names.Select(Key)], cancellationToken);

    private ObjectKey Key(string name) => new($"{path}/{name}");
}
