using System.Globalization;
using NLDS.BackupAgent.ApplicationData.Archive;

namespace NLDS.BackupAgent.ApplicationData.Restore;

/// <summary>What was found, or done, about one data set.</summary>
/// <param name="Failures">What went wrong, a sentence each; with any, nothing of a table's set was written.</param>
internal sealed record SetResult(ArchivedSet Set, long New, long Changed, long Equal, long Expired, IReadOnlyList<string> Failures)
{
    public static SetResult Failed(ArchivedSet set, string reason) => new(set, 0, 0, 0, 0, [reason]);

    public string Counts => string.Create(
        CultureInfo.InvariantCulture, $"{New} new, {Changed} changed, {Equal} equal{(Set.IsCache || Set.ExpiresColumn is not null ? $", {Expired} expired meanwhile and skipped" : "")}");

    public string Where => Set.IsCache ? "Redis" : $"table {Set.Table}";
}
