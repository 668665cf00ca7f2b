using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Repository.Tests.Retention;

/// <summary>
/// A source of one lineage whose log has one segment a day; a backup begins in its day's segment and is consistent in the next. Pieces of the log hold nothing
/// worth reading: retention goes by their names.
/// </summary>
internal sealed class PruneBench : IRetainedSource
{
    public const string Lineage = "A1";
    private const int SegmentBytes = 1 << 20;
    private readonly FixedNaming naming = new(SegmentBytes);
    private readonly RepositoryOptions settings;
    private int nextSegment;

    /// <param name="decorate">Puts something before the store in memory.</param>
    /// <param name="options">The common ones.</param>
    public PruneBench(Func<IObjectStore, IObjectStore>? decorate = null, RetentionOptions? options = null)
        : this(new ManualClock(First), decorate, options)
    {
    }

    private PruneBench(ManualClock clock, Func<IObjectStore, IObjectStore>? decorate, RetentionOptions? options)
        : this(clock, new MemoryObjectStore(clock), decorate, options)
    {
    }

    public PruneBench(ManualClock clock, IObjectStore behind, Func<IObjectStore, IObjectStore>? decorate = null, RetentionOptions? options = null, string? key = null)
    {
        Clock = clock;
        Behind = behind;
        Store = decorate?.Invoke(behind) ?? behind;
        settings = new RepositoryOptions { Compression = "none", Encryption = { Key = key } };
        Repository = new BackupRepository(Store, settings, Clock);
        Pruner = new Pruner(Repository, options ?? new RetentionOptions(), NullLogger<Pruner>.Instance);
        Holds = new BackupHolds(Repository);
        Log = Repository.OpenLog("source/log", naming);
    }

    public static DateTimeOffset First { get; } = Histories.Utc("2026-03-01T02:00Z");

    public ManualClock Clock { get; }

    public IObjectStore Store { get; }

    /// <summary>The store without its faults.</summary>
    public IObjectStore Behind { get; }

    public BackupRepository Repository { get; }

    public Pruner Pruner { get; }

    public BackupHolds Holds { get; }

    public LogArchive Log { get; }

    public string Name => "source";

    public SnapshotLayout Layout { get; init; } = new("source", "source/full/", '/');

    public RetentionRules Retention { get; init; } = new() { KeepDaily = 3, KeepWeekly = 2, KeepMonthly = 1, RecoveryWindow = TimeSpan.FromDays(2) };

    public RetentionPolicy DefaultRetention => new();

    /// <summary>A repository of so many days, a backup and a segment of the log on each; then it is a little later.</summary>
    public async Task FillAsync(int days)
    {
        await Repository.PrepareAsync(CancellationToken.None);
        for (var day = 0; day < days; day++)
        {
            await TakeAsync();
            Clock.Advance(TimeSpan.FromDays(1));
        }

        await PutSegmentAsync(DayOf(Clock.GetUtcNow()));
        Clock.Advance(TimeSpan.FromHours(0.5));
    }

    /// <summary>A repository of so many days with chains of that many backups: a full one, and those that build upon each other.</summary>
    public async Task FillWithChainsAsync(int days, int length)
    {
        await Repository.PrepareAsync(CancellationToken.None);
        BackupId? last = null;
        for (var day = 0; day < days; day++)
        {
            last = (await TakeAsync(day % length == 0 ? null : last)).Id;
            Clock.Advance(TimeSpan.FromDays(1));
        }

        await PutSegmentAsync(DayOf(Clock.GetUtcNow()));
        Clock.Advance(TimeSpan.FromHours(0.5));
    }

    public async Task<SealedBackup> TakeAsync(BackupId? parent = null)
    {
        await using var session = await Repository.BeginBackupAsync(Layout, CancellationToken.None);
        session.Parent = parent;
        return await SealAsync(session);
    }

    /// <param name="session">The backup.</param>
    /// <param name="began">The day whose segment it begins in; today's when null.</param>
    public async Task<SealedBackup> SealAsync(BackupSession session, int? began = null)
    {
        foreach (var name in (string[])["base.tar", "label"])
        {
            await using var writer = session.BeginObject(name);
            await writer.WriteAsync(LogBench.Random(name.Length, 500), CancellationToken.None);
            await session.SealObjectAsync(writer, CancellationToken.None);
        }

        var day = began ?? DayOf(Clock.GetUtcNow());
        await PutSegmentAsync(day);
        nextSegment = Math.Max(nextSegment, day + 1);
        var start = ((ulong)day * SegmentBytes) + 1_000;
        return await session.SealAsync(
            JsonDocument.Parse(string.Create(CultureInfo.InvariantCulture, $$"""{"start":{{start}},"end":{{start + SegmentBytes}}}""")).RootElement, CancellationToken.None);
    }

    public async Task PutSegmentAsync(int day)
    {
        var name = $"source/log/{naming.Name(Lineage, naming.SegmentAt((ulong)day * SegmentBytes))}{(settings.Encryption.Key is null ? "" : ".enc")}";
        await Behind.PutIfAbsentAsync(new ObjectKey(name), "log"u8.ToArray(), CancellationToken.None);
        if (settings.Encryption.Key is null)
        {
            await Behind.PutIfAbsentAsync(new ObjectKey(name + ".seal"), "seal"u8.ToArray(), CancellationToken.None);
        }
    }

    /// <summary>Writes the log up to tomorrow's segment; the tail never stops, and what retention has removed never comes again.</summary>
    public async Task TailAsync()
    {
        for (; nextSegment <= DayOf(Clock.GetUtcNow()) + 1; nextSegment++)
        {
            await PutSegmentAsync(nextSegment);
        }
    }

    public Task<PrunePlan> PlanAsync(bool allowLarge = true) => Pruner.PlanAsync(this, allowLarge, CancellationToken.None);

    public Task<PruneReport> PruneAsync(bool allowLarge = true, TimeSpan? limit = null) => Pruner.PruneAsync(this, allowLarge, limit, CancellationToken.None);

    public async Task<LogNeeds?> FindLogNeedsAsync(IReadOnlyList<SealedBackup> kept, DateTimeOffset since, CancellationToken cancellationToken)
    {
        var inventory = await Log.ReadInventoryAsync(cancellationToken);
        var first = kept.LastOrDefault(b => b.Manifest.Ended <= since);
        return new LogNeeds
        {
            Archive = Log,
            Inventory = inventory,
            WholeFrom = first is null ? new Dictionary<string, ulong>() : new Dictionary<string, ulong> { [Lineage] = naming.SegmentAt(StartOf(first)).Start },
            Islands = [.. kept.Select(b => new LogSection(Lineage, naming.SegmentAt(StartOf(b)).Start, naming.SegmentAt(EndOf(b)).End))],
            RestorableFrom = first?.Manifest.Ended,
        };
    }

    public async Task<List<string>> IdsAsync() => [.. (await ListAsync()).Select(b => b.Id.ToString())];

    public async Task<List<string>> KeysAsync(string prefix = "")
    {
        var keys = new List<string>();
        await foreach (var entry in Behind.ListAsync(prefix, null, CancellationToken.None))
        {
            keys.Add(entry.Key.Value);
        }

        return keys;
    }

    /// <summary>
    /// What must hold after every single step of a prune: each backup that exists is whole and has its log, from the oldest that the window needs on without a
    /// hole; each hole is one that was meant; and those that must stay are there.
    /// </summary>
    public async Task RequireWholeAsync(IEnumerable<string> mustExist, string where)
    {
        var backups = await ListAsync();
        backups.Damaged.ShouldBeEmpty(where);
        mustExist.ShouldBeSubsetOf(backups.Select(b => b.Id.ToString()), where);
        var inventory = await new BackupRepository(Behind, settings, Clock).OpenLog("source/log", naming).ReadInventoryAsync(CancellationToken.None);
        foreach (var backup in backups)
        {
            foreach (var content in backup.Manifest.Objects)
            {
                await using var source = new BackupRepository(Behind, settings, Clock).OpenRead(content, ContentProof.StoredAndContent);
                await source.CopyToAsync(Stream.Null);
            }

            inventory.Cover(Lineage, naming.SegmentAt(StartOf(backup)).Start).End.ShouldBeGreaterThanOrEqualTo(EndOf(backup), $"{where}: the log of {backup.Id}");
        }

        var window = backups.LastOrDefault(b => b.Manifest.Ended <= backups[^1].Id.Began - TimeSpan.FromDays(2)) ?? backups[0];
        inventory.Cover(Lineage, naming.SegmentAt(StartOf(window)).Start).End.ShouldBe(inventory.Pieces.Max(p => p.Range.End), $"{where}: the recovery window");
        ulong position = 0;
        foreach (var piece in inventory.Pieces.OrderBy(p => p.Range.Start))
        {
            inventory.Pruned.Explains(Lineage, position, piece.Range.Start).ShouldBeTrue($"{where}: the hole before {piece.Range.Start}");
            position = piece.Range.End;
        }
    }

    public IAsyncEnumerable<CheckFinding> CheckAsync(CancellationToken cancellationToken) => AsyncEnumerable.Empty<CheckFinding>();

    public Task<SourceListing> ListAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken) => throw new NotSupportedException();

    public static int DayOf(DateTimeOffset time) => (int)(time - First).TotalDays;

    private async Task<BackupListing<SealedBackup>> ListAsync() =>
        await new BackupRepository(Behind, settings, Clock).ListBackupsAsync(Layout, CancellationToken.None);

    private static ulong StartOf(SealedBackup backup) => backup.Manifest.Details.GetProperty("start").GetUInt64();

    private static ulong EndOf(SealedBackup backup) => backup.Manifest.Details.GetProperty("end").GetUInt64();
}
