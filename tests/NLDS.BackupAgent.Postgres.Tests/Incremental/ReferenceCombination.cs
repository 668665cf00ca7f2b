using System.Buffers.Binary;
using System.Formats.Tar;
using NLDS.BackupAgent.Postgres.Archive;
using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Content;

namespace NLDS.BackupAgent.Postgres.Tests.Incremental;

/// <summary>
/// What pg_combinebackup makes of a chain, as its source says (<c>reconstruct.c</c>): each block of the newest file from the newest backup that has it, down to the
/// first whole file. All in memory, by .NET's own reader of tar: nothing of it is shared with a restore.
/// </summary>
internal static class ReferenceCombination
{
    private const int BlockBytes = 8192;
    private const string Prefix = "INCREMENTAL.";

    public static async Task<Dictionary<string, byte[]>> CombineAsync(BackupRepository repository, BaseBackup newest)
    {
        var chain = new List<Dictionary<string, byte[]>>();
        foreach (var backup in newest.Chain)
        {
            chain.Add(await UnpackAsync(repository, backup));
        }

        var combined = new Dictionary<string, byte[]>();
        foreach (var (name, content) in chain[^1])
        {
            var file = name.LastIndexOf('/') + 1;
            if (name.AsSpan(file).StartsWith(Prefix))
            {
                var whole = name[..file] + name[(file + Prefix.Length)..];
                combined.Add(whole, Reconstruct(whole, name, chain));
            }
            else
            {
                combined.Add(name, content);
            }
        }

        return combined;
    }

    private static byte[] Reconstruct(string whole, string part, List<Dictionary<string, byte[]>> chain)
    {
        var latest = Parse(chain[^1][part]);
        var length = latest.Blocks.Select(b => b.Number + 1).Append(latest.Truncation).Max();
        var result = new byte[length * BlockBytes];
        var found = new HashSet<int>();
        foreach (var (number, at) in latest.Blocks)
        {
            found.Add(number);
            chain[^1][part].AsSpan(at, BlockBytes).CopyTo(result.AsSpan(number * BlockBytes));
        }

        for (var i = chain.Count - 2; i >= 0; i--)
        {
            if (chain[i].TryGetValue(whole, out var full))
            {
                for (var number = 0; number < latest.Truncation && number < full.Length / BlockBytes; number++)
                {
                    if (found.Add(number))
                    {
                        full.AsSpan(number * BlockBytes, BlockBytes).CopyTo(result.AsSpan(number * BlockBytes));
                    }
                }

                break;
            }

            foreach (var (number, at) in Parse(chain[i][part]).Blocks.Where(b => b.Number < latest.Truncation))
            {
                if (found.Add(number))
                {
                    chain[i][part].AsSpan(at, BlockBytes).CopyTo(result.AsSpan(number * BlockBytes));
                }
            }
        }

        return result;
    }

    private static (int Truncation, List<(int Number, int At)> Blocks) Parse(byte[] file)
    {
        int Word(int index) => BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(index * 4));
        Word(0).ShouldBe(unchecked((int)0xd3ae1f0d));
        var count = Word(1);
        var header = (12 + (4 * count) + BlockBytes - 1) / BlockBytes * BlockBytes;
        return (Word(2), [.. Enumerable.Range(0, count).Select(i => (Word(3 + i), header + (i * BlockBytes)))]);
    }

    private static async Task<Dictionary<string, byte[]>> UnpackAsync(BackupRepository repository, BaseBackup backup)
    {
        var files = new Dictionary<string, byte[]>();
        foreach (var archive in backup.Sealed.Manifest.Objects.Where(o => o.Name != BaseBackupTaker.ServerManifestName))
        {
            await using var source = repository.OpenRead(archive, ContentProof.StoredAndContent);
            await using var tar = new TarReader(source);
            while (await tar.GetNextEntryAsync() is { } entry)
            {
                if (entry.EntryType is System.Formats.Tar.TarEntryType.RegularFile or System.Formats.Tar.TarEntryType.V7RegularFile)
                {
                    using var content = new MemoryStream();
                    if (entry.DataStream is { } data)
                    {
                        await data.CopyToAsync(content);
                    }

                    var name = entry.Name.StartsWith("./", StringComparison.Ordinal) ? entry.Name[2..] : entry.Name;
                    files.Add(ArchiveFiles.ManifestName(ArchiveFiles.TablespaceOf(archive.Name), name), content.ToArray());
                }
            }
        }

        return files;
    }
}
