using NLDS.BackupAgent.Repository.Content;
using System.Text.Json;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Repository.Tests.Backups;

/// <summary>A repository over a store, and a small backup of three objects: compressed, plain and empty.</summary>
internal sealed class BackupBench
{
    public static readonly SnapshotLayout Folders = new("source", "source/full/", '/');
    public static readonly SnapshotLayout Files = new("other", "other/backup_", '.');

    /// <param name="keys">In base64, separated by white space; null for an unencrypted repository.</param>
    public BackupBench(IObjectStore store, string compression = "zstd", string? keys = null)
    {
        Store = store;
        Repository = new BackupRepository(store, new RepositoryOptions { Compression = compression, Encryption = { Key = keys } }, Clock);
    }

    public IObjectStore Store { get; }

    public ManualClock Clock { get; } = new();

    public BackupRepository Repository { get; }

    public static byte[] Content { get; } = Log.LogBench.Random(11, 1_200);

    public static JsonElement Details { get; } = JsonDocument.Parse("""{"system":"7301"}""").RootElement;

    public async Task<SealedBackup> TakeAsync(SnapshotLayout layout)
    {
        await using var session = await Repository.BeginBackupAsync(layout, CancellationToken.None);
        await PutObjectsAsync(session);
        return await session.SealAsync(Details, CancellationToken.None);
    }

    public static async Task PutObjectsAsync(BackupSession session)
    {
        await PutAsync(session, session.BeginObject("base.tar"), Content);
        await PutAsync(session, session.BeginPlainObject("label"), "label"u8.ToArray());
        await PutAsync(session, session.BeginObject("empty.tar"), []);
    }

    public async Task<byte[]> ReadAsync(BackupObject content)
    {
        await using var source = Repository.OpenRead(content, ContentProof.StoredAndContent);
        using var target = new MemoryStream();
        await source.CopyToAsync(target);
        return target.ToArray();
    }

    public async Task<List<string>> KeysAsync()
    {
        var keys = new List<string>();
        await foreach (var entry in Store.ListAsync("", null, CancellationToken.None))
        {
            keys.Add(entry.Key.Value);
        }

        return keys;
    }

    private static async Task PutAsync(BackupSession session, Repository.Content.ContentWriter writer, byte[] content)
    {
        await using var owned = writer;
        await writer.WriteAsync(content, CancellationToken.None);
        await session.SealObjectAsync(writer, CancellationToken.None);
    }
}
