using System.Security.Cryptography;

namespace NLDS.BackupAgent.ApplicationData.Archive;

/// <summary>
/// Walks through an archive while its bytes pass by, and gives out each file whole, after it was held against what the backup's manifest says of it. Only the files
/// that the manifest names are accepted, in its order.
/// </summary>
/// <param name="manifest">As the repository's own manifest of the backup has it.</param>
/// <param name="consume">Gets a file's entry in the manifest and its bytes, which are its own; not called for <c>manifest.json</c> and abandoned files.</param>
internal sealed class ArchiveScanner(ArchiveManifest manifest, Action<ArchivedFile, byte[]> consume)
{
    public const string ManifestName = "manifest.json";

    /// <summary>It grows with the number of files and columns.</summary>
    private const int LargestManifestBytes = 16 << 20;

    private readonly Dictionary<string, ArchivedFile> known =
        manifest.DataSets.SelectMany(set => set.Files).Concat(manifest.Abandoned).ToDictionary(file => file.Name);

    private readonly HashSet<string> abandoned = [.. manifest.Abandoned.Select(file => file.Name)];
    private readonly byte[] block = new byte[TarHeader.BlockBytes];
    private readonly List<string> order = [];
    private int filled;
    private string name = "";
    private byte[]? content;
    private int contentFilled;
    private int padding;
    private int zeroBlocks;
    private bool hasManifest;

    /// <exception cref="InvalidDataException">It is not the archive that the manifest tells of.</exception>
    public void Feed(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[(content is not null ? FeedContent(bytes) : padding > 0 ? Skip(bytes) : FeedBlock(bytes))..];
        }
    }

    /// <exception cref="InvalidDataException">There should be more.</exception>
    public void Complete()
    {
        if (zeroBlocks < 2 || filled > 0)
        {
            throw new InvalidDataException("it ends in the middle");
        }

        if (!hasManifest || !order.SequenceEqual(manifest.Files))
        {
            throw new InvalidDataException($"it holds {string.Join(", ", order)}{(hasManifest ? "" : $" and no {ManifestName}")}, where the manifest names {string.Join(", ", manifest.Files)}");
        }
    }

    private int FeedBlock(ReadOnlySpan<byte> bytes)
    {
        var count = Math.Min(bytes.Length, TarHeader.BlockBytes - filled);
        bytes[..count].CopyTo(block.AsSpan(filled));
        filled += count;
        if (filled == TarHeader.BlockBytes)
        {
            filled = 0;
            MeetBlock();
        }

        return count;
    }

    private void MeetBlock()
    {
        if (!block.AsSpan().ContainsAnyExcept((byte)0))
        {
            zeroBlocks++;
            return;
        }

        if (zeroBlocks > 0)
        {
            throw new InvalidDataException("something lies behind its end");
        }

        (name, var bytes) = TarHeader.Read(block);
        var expected = ExpectedBytes();
        if (expected is { } right ? bytes != right : bytes > LargestManifestBytes)
        {
            throw new InvalidDataException($"'{name}' has {bytes} bytes{(expected is null ? "" : $" instead of {expected}")}");
        }

        (content, contentFilled) = (new byte[bytes], 0);
        if (bytes == 0)
        {
            EndContent();
        }
    }

    /// <summary>What the file that begins must have; null for the manifest, which nothing has told the size of.</summary>
    private long? ExpectedBytes()
    {
        var folder = manifest.BackupId + "/";
        name = name.StartsWith(folder, StringComparison.Ordinal) ? name[folder.Length..] : throw new InvalidDataException($"its entry '{name}' lies outside of {folder}");
        if (name == ManifestName)
        {
            return null;
        }

        return known.TryGetValue(name, out var file) && !order.Contains(name) && file.Bytes <= DocumentWriter.LargestFileBytes
            ? file.Bytes
            : throw new InvalidDataException($"its entry '{name}' is none that the manifest names, or is there twice");
    }

    private int FeedContent(ReadOnlySpan<byte> bytes)
    {
        var count = Math.Min(bytes.Length, content!.Length - contentFilled);
        bytes[..count].CopyTo(content.AsSpan(contentFilled));
        contentFilled += count;
        if (contentFilled == content.Length)
        {
            EndContent();
        }

        return count;
    }

    private void EndContent()
    {
        var whole = content!;
        content = null;
        padding = -whole.Length & (TarHeader.BlockBytes - 1);
        if (name == ManifestName)
        {
            hasManifest = !hasManifest && whole.AsSpan().SequenceEqual(ArchiveDetails.Bytes(manifest))
                ? true
                : throw new InvalidDataException($"its {ManifestName} is another than the one of the backup's manifest");
            return;
        }

        order.Add(name);
        var file = known[name];
        if (Convert.ToHexStringLower(SHA256.HashData(whole)) != file.Sha256)
        {
            throw new InvalidDataException($"'{name}' does not have the SHA-256 that the manifest names");
        }

        if (!abandoned.Contains(name))
        {
            consume(file, whole);
        }
    }

    private int Skip(ReadOnlySpan<byte> bytes)
    {
        var count = Math.Min(bytes.Length, padding);
        padding -= count;
        return count;
    }
}
