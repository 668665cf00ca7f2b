using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Backup;

/// <summary>Reads an archive back, proved to its last byte: its index, and the objects as they were read.</summary>
internal sealed class ArchiveReader(BackupRepository repository)
{
    /// <summary>No object of an API server is longer than 3 MiB; an index is a few hundred bytes an object.</summary>
    private const long LargestEntry = 256L << 20;

    /// <summary>All objects of a namespace are held at once in a restore: they are put into order.</summary>
    private const long LargestContent = 1L << 30;

    public async Task<BackupIndex> ReadIndexAsync(NamespaceBackup backup, CancellationToken cancellationToken) =>
        (await ReadAsync(backup, keepsObjects: false, cancellationToken)).Index;

    /// <summary>The index and every object's bytes by their path.</summary>
    public async Task<(BackupIndex Index, IReadOnlyDictionary<string, byte[]> Objects)> ReadObjectsAsync(NamespaceBackup backup, CancellationToken cancellationToken)
    {
        var (index, objects) = await ReadAsync(backup, keepsObjects: true, cancellationToken);
        foreach (var entry in index.Objects)
        {
            if (!objects.TryGetValue(entry.Path, out var bytes) || Convert.ToHexStringLower(SHA256.HashData(bytes)) != entry.Sha256)
            {
                throw Damaged(backup, $"'{entry.Path}' is not in it as its index says");
            }
        }

        return (index, objects);
    }

    private async Task<(BackupIndex Index, Dictionary<string, byte[]> Objects)> ReadAsync(NamespaceBackup backup, bool keepsObjects, CancellationToken cancellationToken)
    {
        try
        {
            await using var source = repository.OpenRead(backup.Archive, ContentProof.StoredAndContent);
            var (index, objects, total) = ((BackupIndex?)null, new Dictionary<string, byte[]>(), 0L);
            await using (var tar = new TarReader(source, leaveOpen: true))
            {
                while (await tar.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
                {
                    var path = PathOf(entry.Name);
                    var isIndex = path == ArchiveWriter.IndexName;
                    if (entry.DataStream is null || (!isIndex && !(keepsObjects && path.StartsWith("raw/", StringComparison.Ordinal))))
                    {
                        continue;
                    }

                    var bytes = await ReadEntryAsync(entry, cancellationToken);
                    if ((total += bytes.Length) > LargestContent)
                    {
                        throw Damaged(backup, $"'{path}' and what came before it are larger than anything that was put there");
                    }

                    if (isIndex)
                    {
                        index = Parse(backup, bytes);
                    }
                    else
                    {
                        objects[path] = bytes;
                    }
                }
            }

            // The last read is the one that proves it all.
            await source.CopyToAsync(Stream.Null, cancellationToken);
            return (index ?? throw Damaged(backup, "it has no index"), objects);
        }
        catch (Exception damage) when (damage is InvalidDataException or EndOfStreamException or FormatException or InvalidOperationException or ArgumentException or OverflowException)
        {
            throw Damaged(backup, damage.Message);
        }
    }

    /// <summary>An entry's content; room is made as it comes, whatever its header says.</summary>
    /// <exception cref="InvalidDataException">It is larger than anything that is put there.</exception>
    public static async Task<byte[]> ReadEntryAsync(TarEntry entry, CancellationToken cancellationToken)
    {
        if (entry.Length > LargestEntry)
        {
            throw new InvalidDataException($"'{PathOf(entry.Name)}' is larger than anything that was put there");
        }

        using var content = new MemoryStream();
        await (entry.DataStream?.CopyToAsync(content, cancellationToken) ?? Task.CompletedTask);
        return content.Length == entry.Length ? content.ToArray() : throw new EndOfStreamException($"'{PathOf(entry.Name)}' is cut short");
    }

    /// <summary>Below the archive's root folder.</summary>
    public static string PathOf(string name) => name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..];

    public static BackupIndex? TryParse(ReadOnlySpan<byte> bytes)
    {
        try
        {
            JsonLists.RequireNoNulls(bytes);
            return JsonSerializer.Deserialize(bytes, BackupJson.Default.BackupIndex);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static BackupIndex Parse(NamespaceBackup backup, byte[] bytes)
    {
        var index = TryParse(bytes) ?? throw Damaged(backup, "its index cannot be read");
        return index.Format <= BackupIndex.CurrentFormat
            ? index
            : throw new NotRestorableException($"Kubernetes backup {backup.Sealed.Id} has format {index.Format}; this version reads up to {BackupIndex.CurrentFormat}. Use a newer version.");
    }

    private static NotRestorableException Damaged(NamespaceBackup backup, string what) =>
        new($"The archive '{backup.Archive.Key}' of Kubernetes backup {backup.Sealed.Id} is damaged: {what}.");
}
