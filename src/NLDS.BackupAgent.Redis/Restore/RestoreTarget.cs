using System.Globalization;
using NLDS.BackupAgent.Redis.Protocol;
using System.Text.RegularExpressions;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>What <c>--to</c> says: the end of what is stored, a moment, an offset, or the moment before the data was flushed.</summary>
internal abstract partial record RestoreTarget
{
    public const string BeforeFlushWord = "before-flush";

    private const string OffsetPrefix = "offset:";

    public sealed record Latest : RestoreTarget;

    /// <summary>Everything that had arrived at the agent by this time of its clock.</summary>
    public sealed record AtTime(DateTimeOffset Time) : RestoreTarget;

    /// <summary>Everything before the last FLUSHALL or FLUSHDB.</summary>
    public sealed record BeforeFlush : RestoreTarget;

    /// <summary>Everything before an offset of the stream, as <c>list</c> and messages name it.</summary>
    /// <param name="ReplicationId">The history that the offset is of; null for the newest that has it.</param>
    public sealed record AtOffset(ulong Offset, string? ReplicationId = null) : RestoreTarget;

    /// <summary>The words for a place that no later history can be mistaken for.</summary>
    public static string AtPlace(string replicationId, ulong offset) => string.Create(CultureInfo.InvariantCulture, $"{OffsetPrefix}{offset}@{replicationId}");

    /// <exception cref="UsageException">It is none of these.</exception>
    public static RestoreTarget Parse(string? text)
    {
        switch (text)
        {
            case null or "latest":
                return new Latest();
            case BeforeFlushWord:
                return new BeforeFlush();
        }

        if (text.StartsWith(OffsetPrefix, StringComparison.Ordinal)
            && text[OffsetPrefix.Length..].Split('@') is { Length: 1 or 2 } place
            && ulong.TryParse(place[0], NumberStyles.None, CultureInfo.InvariantCulture, out var offset)
            && (place.Length == 1 || Replication.IsId(place[1])))
        {
            return new AtOffset(offset, place.Length == 1 ? null : place[1]);
        }

        if (!DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal, out var time)
            || IsoTime().Match(text) is not { Success: true } match)
        {
            throw new UsageException($"'{text}' is not a target. Write latest, a time such as 2026-11-23T14:03:17Z, {OffsetPrefix}NUMBER, or {BeforeFlushWord}.");
        }

        return match.Groups["offset"].Success
            ? new AtTime(time)
            : throw new UsageException($"The time '{text}' has no offset, so it could mean any of 24 hours. Write it with Z for UTC or with an offset: {text}Z, {text}+01:00.");
    }

    [GeneratedRegex(@"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s*(?<offset>Z|[+-]\d{2}(:?\d{2})?)?$", RegexOptions.CultureInvariant)]
    private static partial Regex IsoTime();
}
