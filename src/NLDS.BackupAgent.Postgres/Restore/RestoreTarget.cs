using System.Globalization;
using System.Text.RegularExpressions;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>What <c>--to</c> says: the end of the archive, a moment, a position, or a named restore point.</summary>
internal abstract partial record RestoreTarget
{
    public sealed record Latest : RestoreTarget;

    /// <summary>Every transaction that ended at or before this time by the server's clock, in the order of the log up to the first later one.</summary>
    public sealed record AtTime(DateTimeOffset Time) : RestoreTarget;

    /// <summary>Everything that was written before this position, as <c>pg_current_wal_lsn()</c> tells it.</summary>
    public sealed record AtPosition(Lsn Position) : RestoreTarget;

    /// <summary>The newest restore point of this name.</summary>
    public sealed record AtName(string Name) : RestoreTarget;

    /// <exception cref="UsageException">It is none of these.</exception>
    public static RestoreTarget Parse(string? text)
    {
        if (text is null or "latest")
        {
            return new Latest();
        }

        if (text.StartsWith("name:", StringComparison.Ordinal) && text.Length > 5)
        {
            return new AtName(text[5..]);
        }

        if (Lsn.TryParse(text, out var position))
        {
            return new AtPosition(position);
        }

        if (!DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal, out var time)
            || IsoTime().Match(text) is not { Success: true } match)
        {
            throw new UsageException(
                $"'{text}' is not a target. Write latest, a time such as 2026-11-23T14:03:17Z, an LSN such as 0/5A3C1F8, or name:RESTORE_POINT.");
        }

        return match.Groups["offset"].Success
            ? new AtTime(time)
            : throw new UsageException($"The time '{text}' has no offset, so it could mean any of 24 hours. Write it with Z for UTC or with an offset: {text}Z, {text}+01:00.");
    }

    [GeneratedRegex(@"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s*(?<offset>Z|[+-]\d{2}(:?\d{2})?)?$", RegexOptions.CultureInvariant)]
    private static partial Regex IsoTime();
}
