using System.Buffers.Binary;
using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;
using NLDS.BackupAgent.Postgres.Archive;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>
/// Removes from a restored chain what the next incremental backup no longer has: files that were deleted since, such as those of dropped tables. Before that backup
/// is unpacked, so that a restore never takes much more room than the database does. Of each name it keeps 64 bits; where there are more than a million, they are
/// gone through in parts.
/// </summary>
/// <param name="part">Which of the parts this is, from 0 on.</param>
/// <param name="parts">A name belongs to one of so many.</param>
/// <param name="capacity">The names to expect.</param>
internal sealed class Superseded(uint part = 0, uint parts = 1, int capacity = 0)
{
    /// <summary>Of a part: they take 20 MiB.</summary>
    private const int MostNames = 1 << 20;

    /// <summary>More are of no database, but of a number that is wrong; the names in each part are then more than they should be.</summary>
    private const int MostParts = 1 << 10;

    /// <summary>Names that are collected before their files are removed, because not every file system lists a directory well from which files vanish meanwhile.</summary>
    private const int Batch = 50_000;

    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = FileAttributes.None, IgnoreInaccessible = false };

    private readonly HashSet<ulong> names = new(capacity);

    /// <summary>What goes through so many files: each part is told all names that stay, and then removes what is of it.</summary>
    public static IEnumerable<Superseded> PartsOf(long files, int mostNames = MostNames)
    {
        var parts = (uint)Math.Clamp(((files - 1) / mostNames) + 1, 1, MostParts);
        for (uint part = 0; part < parts; part++)
        {
            yield return new Superseded(part, parts, (int)Math.Clamp(files / parts, 0, mostNames));
        }
    }

    /// <summary>A name as the backup's manifest has it, with <c>INCREMENTAL.</c> or without.</summary>
    public void Stays(string manifestName)
    {
        // A relation of a tablespace has its oid in the name, which the rule for names is not asked about.
        var isOfTablespace = manifestName.StartsWith("pg_tblspc/", StringComparison.Ordinal);
        var name = Short("", IncrementalFile.WholeNameOf(manifestName, isOfTablespace ? "" : null) ?? manifestName);
        if (IsOfThisPart(name))
        {
            names.Add(name);
        }
    }

    /// <summary>Removes all other files below the directories, and the directories that are empty then: the backup itself brings those back that are meant to be.</summary>
    public void Remove(string dataDirectory, IReadOnlyDictionary<string, string> tablespaces)
    {
        var roots = tablespaces.Values.Append(dataDirectory).ToHashSet(StringComparer.Ordinal);
        Remove(dataDirectory, "", roots);
        foreach (var (oid, directory) in tablespaces)
        {
            Remove(directory, ArchiveFiles.ManifestName(oid, ""), roots);
        }
    }

    private void Remove(string directory, string prefix, HashSet<string> roots)
    {
        foreach (var name in Names(directory, IsDirectory).ToList())
        {
            var below = Path.Combine(directory, name);
            if (!roots.Contains(below))
            {
                Remove(below, $"{prefix}{name}/", roots);
                if (!Directory.EnumerateFileSystemEntries(below).Any())
                {
                    Directory.Delete(below);
                }
            }
        }

        List<string> gone;
        do
        {
            gone = [.. Names(directory, IsGone).Take(Batch)];
            gone.ForEach(name => File.Delete(Path.Combine(directory, name)));
        }
        while (gone.Count == Batch);

        bool IsGone(ref FileSystemEntry entry) =>
            !IsDirectory(ref entry) && entry.FileName is not TargetDirectory.InProgress && Short(prefix, entry.FileName) is var name && IsOfThisPart(name) && !names.Contains(name);
    }

    /// <summary>The entries of a directory that are asked for. Of the others, of which there may be a million, none becomes a string.</summary>
    private static FileSystemEnumerable<string> Names(string directory, FileSystemEnumerable<string>.FindPredicate areWanted) =>
        new(directory, (ref FileSystemEntry entry) => entry.FileName.ToString(), Everything)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => entry.FileName is not TargetDirectory.LostAndFound && areWanted(ref entry),
        };

    /// <summary>A link to a directory is none.</summary>
    private static bool IsDirectory(ref FileSystemEntry entry) => entry.IsDirectory && !entry.Attributes.HasFlag(FileAttributes.ReparsePoint);

    private bool IsOfThisPart(ulong name) => name % parts == part;

    private static ulong Short(ReadOnlySpan<char> prefix, ReadOnlySpan<char> name)
    {
        var most = Encoding.UTF8.GetMaxByteCount(prefix.Length + name.Length);
        var text = most <= 1024 ? stackalloc byte[1024] : new byte[most];
        var length = Encoding.UTF8.GetBytes(prefix, text);
        length += Encoding.UTF8.GetBytes(name, text[length..]);
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(text[..length], hash);
        return BinaryPrimitives.ReadUInt64LittleEndian(hash);
    }
}
