using System.Globalization;
using System.Text.RegularExpressions;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Marks;

/// <summary>The marks of a repository: one recovery point over all sources.</summary>
public sealed partial class RecoveryMarks(BackupRepository repository, TimeProvider clock)
{
    /// <summary>With this before its name a mark stands where a target or a backup does.</summary>
    public const string Prefix = "mark:";

    /// <summary>As long as a log is usually behind, many times over.</summary>
    private static readonly TimeSpan DurableTime = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    private const string Suffix = ".json";

    private DocumentFolder Folder => repository.OpenFolder("marks");

    /// <summary>Marks this moment in all sources at once, waits until all of it is durable, and writes it down.</summary>
    /// <param name="name">Letters, digits, dots, dashes and underscores; a name is given once.</param>
    /// <param name="sources">All that are to be brought back together.</param>
    /// <param name="by">Who, as <c>user@host</c>.</param>
    /// <param name="isScheduled">It goes by itself after a time.</param>
    /// <param name="cancellationToken">Gives it up; then there is no mark.</param>
    /// <exception cref="UsageException">The name cannot be one, or is taken.</exception>
    /// <exception cref="SourceException">A source could not be marked, or the log did not get so far in time: there is no mark.</exception>
    public async Task<RecoveryMark> MarkAsync(
        string name, IReadOnlyList<IBackupSource> sources, string by, bool isScheduled, CancellationToken cancellationToken)
    {
        RequireName(name);
        if (await FindAsync(name, cancellationToken) is { } taken)
        {
            throw Taken(taken);
        }

        var (marked, snapshots) = (sources.OfType<IMarkedSource>().ToList(), sources.Where(source => source is not IMarkedSource).ToList());
        if (marked.Count == 0)
        {
            throw new UsageException("No enabled source has a log in which a moment could be marked.");
        }

        var at = clock.GetUtcNow();
        var began = clock.GetTimestamp();
        var marks = await Task.WhenAll(marked.Select(source => source.MarkAsync(name, cancellationToken)));
        var skew = clock.GetElapsedTime(began).TotalSeconds;
        var places = new Dictionary<string, MarkedPlace>();
        foreach (var (source, mark) in marked.Zip(marks))
        {
            places[source.Name] = new MarkedPlace(mark.To, null, null, mark.Words);
        }

        foreach (var source in snapshots)
        {
            if ((await source.ListAsync(cancellationToken)).Backups.MaxBy(backup => backup.Id) is { } newest)
            {
                places[source.Name] = new MarkedPlace(null, newest.Id.ToString(), (at - newest.CurrentAt).TotalSeconds, $"backup {newest.Id}");
            }
        }

        await AwaitDurableAsync([.. marked.Zip(marks)], cancellationToken);
        var written = new RecoveryMark { Name = name, MarkedAt = at, By = by, IsScheduled = isScheduled, Places = places, SkewSeconds = skew };
        return await Folder.PutAsync(name + Suffix, written, RecoveryJson.Default.RecoveryMark, cancellationToken)
            ? written
            : throw Taken(await FindAsync(name, cancellationToken) ?? written);
    }

    /// <summary>A name for a mark of the schedule.</summary>
    public static string ScheduledName(DateTimeOffset now) => string.Create(CultureInfo.InvariantCulture, $"auto-{now.UtcDateTime:yyyyMMdd-HHmmss}");

    /// <summary>Null when the store said that there is none.</summary>
    /// <exception cref="NotRestorableException">It is damaged, or of another name.</exception>
    public async Task<RecoveryMark?> FindAsync(string name, CancellationToken cancellationToken)
    {
        var mark = await Folder.FindAsync(name + Suffix, RecoveryJson.Default.RecoveryMark, cancellationToken);
        return mark is null || (mark.Name == name && mark.Places.Values.All(place => place is not null))
            ? mark
            : throw new NotRestorableException($"The mark 'marks/{name}{Suffix}' is damaged: it is of another name, or of no place.");
    }

    /// <summary>All marks, oldest first.</summary>
    public async Task<IReadOnlyList<RecoveryMark>> ListAsync(CancellationToken cancellationToken)
    {
        var found = new List<RecoveryMark>();
        foreach (var name in (await Folder.ListAsync(cancellationToken)).Where(name => name.EndsWith(Suffix, StringComparison.Ordinal)))
        {
            if (await FindAsync(name[..^Suffix.Length], cancellationToken) is { } mark)
            {
                found.Add(mark);
            }
        }

        return [.. found.OrderBy(mark => mark.MarkedAt)];
    }

    /// <returns>False when there was none.</returns>
    public async Task<bool> RemoveAsync(string name, CancellationToken cancellationToken)
    {
        RequireName(name);
        var existed = await FindAsync(name, cancellationToken) is not null;
        await Folder.DeleteAsync([name + Suffix], cancellationToken);
        return existed;
    }

    /// <summary>Removes the schedule's own marks that are older than this.</summary>
    public async Task ForgetAsync(TimeSpan olderThan, CancellationToken cancellationToken)
    {
        var old = (await ListAsync(cancellationToken)).Where(mark => mark.IsScheduled && clock.GetUtcNow() - mark.MarkedAt > olderThan);
        await Folder.DeleteAsync(old.Select(mark => mark.Name + Suffix), cancellationToken);
    }

    /// <summary>Puts in the place of <c>mark:NAME</c> what it means for a source.</summary>
    /// <exception cref="NotRestorableException">There is no such mark, or it does not have this source.</exception>
    public async Task<RestoreRequest> ResolveAsync(RestoreRequest request, string source, CancellationToken cancellationToken)
    {
        if (NameIn(request.To) is { } target)
        {
            var place = await PlaceAsync(target, source, cancellationToken);
            return place.To is { } to
                ? request with { To = to }
                : request with { To = null, BackupId = place.Backup };
        }

        if (NameIn(request.BackupId) is { } backup)
        {
            var place = await PlaceAsync(backup, source, cancellationToken);
            return place.Backup is { } id
                ? request with { BackupId = id }
                : throw new UsageException($"At mark '{backup}' {source} has a moment of its log, not a backup. Write --to {Prefix}{backup}.");
        }

        return request;
    }

    private static string? NameIn(string? text) => text?.StartsWith(Prefix, StringComparison.Ordinal) == true ? text[Prefix.Length..] : null;

    private async Task<MarkedPlace> PlaceAsync(string name, string source, CancellationToken cancellationToken)
    {
        RequireName(name);
        await repository.RequireAsync(cancellationToken);
        var mark = await FindAsync(name, cancellationToken) ?? throw new NotRestorableException($"There is no mark '{name}'. 'list' shows all.");
        return mark.Places.GetValueOrDefault(source)
            ?? throw new NotRestorableException($"Mark '{name}' does not have {source}; it has {string.Join(", ", mark.Places.Keys)}.");
    }

    private async Task AwaitDurableAsync(List<(IMarkedSource Source, SourceMark Mark)> waiting, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        while (true)
        {
            for (var i = waiting.Count - 1; i >= 0; i--)
            {
                if (await waiting[i].Source.IsDurableAsync(waiting[i].Mark, cancellationToken))
                {
                    waiting.RemoveAt(i);
                }
            }

            if (waiting.Count == 0)
            {
                return;
            }

            if (clock.GetElapsedTime(began) > DurableTime)
            {
                throw new SourceException(
                    $"The log of {string.Join(" and ", waiting.Select(entry => entry.Source.Name))} did not become durable up to the mark within {DurableTime.TotalSeconds:F0} s, so there is "
                    + "no mark. Does the agent run ('status')?",
                    isPermanent: false);
            }

            await Task.Delay(Look, clock, cancellationToken);
        }
    }

    private static UsageException Taken(RecoveryMark mark) => new($"There is a mark '{mark.Name}' already, of {mark.MarkedAt.UtcDateTime:u}. A mark is never moved: choose another name.");

    /// <summary>It becomes part of a key and the name of a restore point, of which PostgreSQL takes 63 bytes.</summary>
    private static void RequireName(string name)
    {
        if (!ValidName().IsMatch(name))
        {
            throw new UsageException($"'{name}' is not a name for a mark. Write 1 to 63 letters, digits, dots, dashes or underscores, a letter or digit first.");
        }
    }

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", RegexOptions.CultureInvariant)]
    private static partial Regex ValidName();
}
