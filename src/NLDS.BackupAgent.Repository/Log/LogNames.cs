using System.Globalization;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>What the objects of one log are called, and which piece an object is by its name.</summary>
/// <param name="folder">Of the source's log, without a slash at its end.</param>
/// <param name="naming">Of its segments.</param>
/// <param name="codec">Of pieces that are written now.</param>
/// <param name="keys">Whether pieces that are written now are encrypted.</param>
internal sealed class LogNames(string folder, ILogNaming naming, Codec codec, Keyring keys)
{
    /// <summary>Servers count positions in what 64 bits hold with a sign; behind that there is no log, and arithmetic has room.</summary>
    private const ulong LastPosition = long.MaxValue;

    public const string SealSuffix = ".seal";

    /// <summary>The file that says how far the log without encryption reaches.</summary>
    public const string PlainReach = "plain.json";

    private string? lastLineage;

    /// <summary>Where the durable chunks of the open segment lie.</summary>
    public string TailPrefix => $"{folder}/tail/";

    public string MarksPrefix => $"{folder}/marks/";

    public ObjectKey Confirmation => new($"{TailPrefix}confirmed.json");

    private bool Encrypts => keys.Writing is not null;

    /// <summary>A whole segment as it is written now.</summary>
    public LogPiece NewSegment(string lineage, LogRange segment) => new(SegmentKey(lineage, segment), lineage, segment, codec, 0, IsSegment: true) { IsEncrypted = Encrypts };

    /// <summary>A chunk as it is written now.</summary>
    public LogPiece NewChunk(string lineage, LogRange range) => new(ChunkKey(lineage, range), lineage, range, codec, 0, IsSegment: false) { IsEncrypted = Encrypts };

    public ObjectKey SegmentKey(string lineage, LogRange segment) => SegmentKey(lineage, segment, codec, Encrypts);

    /// <summary>As it was written then.</summary>
    public ObjectKey SegmentKey(string lineage, LogRange segment, Codec by, bool isEncrypted) => new($"{folder}/{naming.Name(lineage, segment)}{Suffix(by, isEncrypted)}");

    public ObjectKey ChunkKey(string lineage, LogRange range) => new($"{TailPrefix}{lineage}-{range.Start:x16}-{range.End:x16}{Suffix(codec, Encrypts)}");

    /// <summary>The seal's own object, for a codec that has no place for a seal.</summary>
    public static ObjectKey SealKey(ObjectKey piece) => new(piece.Value + SealSuffix);

    public ObjectKey GapKey(LogGap gap) => new($"{folder}/gaps/{gap.Lineage}-{gap.Start:x16}-{gap.End:x16}.json");

    public ObjectKey MarkKey(string lineage, ulong start) => new($"{MarksPrefix}{lineage}-{start:x16}.json");

    /// <summary>A small file beside the log.</summary>
    public ObjectKey File(string name) => new($"{folder}/{name}");

    /// <summary>
    /// A key that sorts before every name of the segment at a place and behind those of segments two before it: listings are in the order of keys, and names in
    /// the order of the log. The folders of gaps and marks come behind all segments.
    /// </summary>
    public ObjectKey? KeyBefore(LogStart? from) =>
        from is { Position: > 0 } start ? new ObjectKey($"{folder}/{naming.Name(start.Lineage, naming.SegmentAt(start.Position - 1))}") : null;

    /// <summary>The piece of this log that an object is by its name; null for everything else.</summary>
    public LogPiece? TryParse(ObjectInfo entry) => ParseChunk(entry) ?? ParseSegment(entry, entry.Key.Name);

    public LogPiece? ParseSegment(ObjectInfo entry, string name)
    {
        var (bare, writtenBy, isEncrypted) = Codecs.Split(name);
        return naming.TryParse(bare, out var lineage, out var range) && IsPlace(lineage, range.Start, range.End)
            ? new LogPiece(entry.Key, Once(lineage), range, writtenBy, entry.Bytes, IsSegment: true) { IsEncrypted = isEncrypted }
            : null;
    }

    public LogPiece? ParseChunk(ObjectInfo entry)
    {
        var (bare, writtenBy, isEncrypted) = Codecs.Split(entry.Key.Name);
        return TryParseChunk(bare, out var lineage, out var range) && IsPlace(lineage, range.Start, range.End)
            ? new LogPiece(entry.Key, lineage, range, writtenBy, entry.Bytes, IsSegment: false) { IsEncrypted = isEncrypted }
            : null;
    }

    /// <summary>Whether there can be log of that lineage from one position to the other.</summary>
    public bool IsPlace(string lineage, ulong start, ulong end) => naming.IsLineage(lineage) && start <= end && end <= LastPosition;

    private static bool TryParseChunk(string name, out string lineage, out LogRange range)
    {
        lineage = "";
        range = default;
        var parts = name.Split('-');
        if (parts.Length != 3 || parts[1].Length != 16 || parts[2].Length != 16
            || !ulong.TryParse(parts[1], NumberStyles.AllowHexSpecifier, null, out var start)
            || !ulong.TryParse(parts[2], NumberStyles.AllowHexSpecifier, null, out var end)
            || end <= start)
        {
            return false;
        }

        lineage = parts[0];
        range = new LogRange(start, end);
        return true;
    }

    /// <summary>A hundred thousand pieces of one lineage share its name.</summary>
    private string Once(string lineage)
    {
        var known = lastLineage;
        return known == lineage ? known : lastLineage = lineage;
    }

    private static string Suffix(Codec codec, bool isEncrypted) => codec.Suffix() + (isEncrypted ? Codecs.EncryptedSuffix : "");
}
