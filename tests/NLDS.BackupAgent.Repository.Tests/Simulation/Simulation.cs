using System.Globalization;
using System.Text.Json;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Encryption;
using NLDS.BackupAgent.Repository.Tests.Leases;
using NLDS.BackupAgent.Repository.Verification;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Repository.Tests.Simulation;

/// <summary>
/// A server, two machines with agents that come and go, and a store that fails and lies: years in seconds. <see cref="WatchedStore"/> judges every change of the
/// store at the moment at which it happens; here stands what can only be judged from outside, after each step.
/// </summary>
internal sealed class Simulation : IAsyncDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>No deed takes a second; one that takes this long waits for something that never comes.</summary>
    private static readonly TimeSpan LongestDeed = TimeSpan.FromSeconds(60);

    private readonly int seed;
    private readonly Random random;
    private readonly Truth truth;
    private readonly WatchedStore store;
    private readonly RepositoryOptions options;
    private readonly RetentionOptions retention = new();
    private readonly Machine[] machines = [new("east"), new("west")];
    private readonly TimeSpan[] ahead = new TimeSpan[2];
    private readonly SimulatedAgent?[] agents = new SimulatedAgent?[2];
    private readonly List<string> story = [];
    private DateTimeOffset calendar = new(2026, 3, 1, 2, 0, 0, TimeSpan.Zero);
    private int lives;
    private int step;

    public Simulation(int seed)
    {
        this.seed = seed;
        random = new Random(seed);
        truth = new Truth(seed);
        options = new RepositoryOptions
        {
            Compression = ((string[])["none", "zstd", "gzip"])[random.Next(3)],
            Encryption = { Key = random.Next(3) == 0 ? TestKeys.First : null },
        };
        store = new WatchedStore(new SimulatedClock(() => calendar), truth, options);
    }

    /// <summary>What was done how often, and ended well how often: a simulation in which nothing happens proves nothing.</summary>
    public SortedDictionary<string, (int Tried, int Done)> Deeds { get; } = [];

    public int BackupsRemoved => store.BackupsRemoved;

    public int SessionsSwept => store.SessionsSwept;

    public async Task RunAsync(int steps)
    {
        for (step = 1; step <= steps; step++)
        {
            var (agent, deed) = Choose();
            var weather = random.Next(6) switch { 0 => 4, 1 => 20, 2 when random.Next(6) == 0 => 100, _ => 0 };
            var lie = random.Next(8) == 0 ? (Lie)random.Next(4) : Lie.None;
            agent?.Store.Begin(step, weather, lie);
            if (agent is not null && random.Next(14) == 0)
            {
                agent.Store.DieAt(random.Next(1, 12));
            }

            var outcome = await TryAsync(deed.Name, () => deed.Work(agent!).WaitAsync(LongestDeed, TimeProvider.System));
            Tell($"{deed.Name}{(agent is null ? "" : $" by {agent.Name}")}, {weather} % faults, lie {lie}: {outcome}");
            agent?.Store.Begin(step, 0, Lie.None);
            await BuryAsync();
            store.RememberListing();
            await JudgeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var agent in agents)
        {
            await (agent?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
    }

    private (SimulatedAgent? Agent, (string Name, Func<SimulatedAgent, Task> Work) Deed) Choose()
    {
        var place = random.Next(2);
        var agent = agents[place];
        if (agent is null)
        {
            return (null, ("start an agent", _ => StartAsync(place)));
        }

        var writer = random.Next(10) > 0 ? agents.FirstOrDefault(a => a is { HasLease: true }) ?? agent : agent;
        return random.Next(100) switch
        {
            < 22 => (writer, ("tail", TailAsync)),
            < 30 => (agent, ("begin a backup", BeginBackupAsync)),
            < 34 => (agent, ("put an object", PutObjectAsync)),
            < 46 => (agent, ("seal a backup", SealBackupAsync)),
            < 48 => (agent, ("give up a backup", GiveUpBackupAsync)),
            < 58 => (writer, ("prune", PruneAsync)),
            < 63 => (agent, ("verify", VerifyAsync)),
            < 66 => (agent, ("hold", HoldAsync)),
            < 69 => (agent, ("release", ReleaseAsync)),
            < 72 => (agent, ("list", ListAsync)),
            < 75 => (agent, ("restore", _ => RestoreAsync())),
            < 79 => (agent, ("restore from a damaged store", _ => RestoreDamagedAsync())),
            < 89 => (null, ("let days pass", _ => PassAsync(TimeSpan.FromHours(random.Next(1, 40))))),
            < 92 => (null, ("set a clock", _ => SetClockAsync(place))),
            < 94 => (null, ("lose the slot", _ => LoseSlotAsync())),
            < 97 => (agent, ("be cut off", CutOffAsync)),
            < 99 => (agent, ("end in order", EndAsync)),
            _ => (agent, ("die", DieAsync)),
        };
    }

    /// <summary>What failed fails as things fail here: with a sentence. Anything else is a fault of the program.</summary>
    private async Task<string> TryAsync(string name, Func<Task> work)
    {
        var (tried, done) = Deeds.GetValueOrDefault(name);
        Deeds[name] = (tried + 1, done);
        try
        {
            await work();
            Deeds[name] = (tried + 1, done + 1);
            return "done";
        }
        catch (Exception failure) when (failure is ObjectStoreException or SourceException or NotRestorableException or LogDivergedException or Impossible or InvalidOperationException)
        {
            return failure.Message;
        }
        catch (TimeoutException)
        {
            throw new InvalidOperationException(Sentence($"'{name}' hangs."));
        }
    }

    private async Task StartAsync(int place)
    {
        var process = ++lives;
        var agent = new SimulatedAgent($"{machines[place].Name}-{process}", machines[place], process, new SimulatedClock(() => calendar) { Ahead = ahead[place] }, store, truth, options, retention, seed);
        agents[place] = agent;
        agent.Store.Begin(step, 0, Lie.None);
        await agent.TryTakeLeaseAsync();
    }

    private Task TailAsync(SimulatedAgent agent)
    {
        truth.Write(random.Next(1, 2_500));
        return TailAsync(agent, waits: random.Next(4) > 0);
    }

    /// <param name="waits">Until everything that was written is durable.</param>
    private async Task TailAsync(SimulatedAgent agent, bool waits)
    {
        if (!agent.HasLease)
        {
            await agent.EndTailAsync();
            Require(await agent.TryTakeLeaseAsync());
        }

        try
        {
            if (!agent.IsTailing)
            {
                await agent.BeginTailAsync();
            }

            Require(agent.IsTailing);
            await agent.TailAsync(random.Next(4_000), flushes: waits);
            truth.Forget();
        }
        catch
        {
            await agent.EndTailAsync();
            throw;
        }
    }

    private async Task BeginBackupAsync(SimulatedAgent agent)
    {
        Require(store.Running.Count(r => r.Owner == agent) < 2);
        var start = truth.Written;
        var session = await agent.Repository.BeginBackupAsync(agent.Layout, random.Next(2) == 0 && agent.HasLease ? agent.Lease : null, None);
        store.Running.Add(new OpenBackup(agent, session, start));
    }

    private async Task PutObjectAsync(SimulatedAgent agent)
    {
        var running = RunningOf(agent);
        await using var writer = running.Session.BeginObject($"part{running.Objects}.tar");
        running.Objects++;
        await writer.WriteAsync(truth.Content(0, (ulong)random.Next(2_000)), None);
        await running.Session.SealObjectAsync(writer, None);
    }

    private async Task SealBackupAsync(SimulatedAgent agent)
    {
        var running = RunningOf(agent);
        if (running.Objects == 0)
        {
            await PutObjectAsync(agent);
        }

        // Success only when the log up to its end is durable too, and without a hole: that much every source waits for.
        var end = Math.Max(running.Start + 1, truth.Written);
        if (truth.Acknowledged < end && agents.FirstOrDefault(a => a is { HasLease: true }) is { } writer)
        {
            await TailAsync(writer, waits: true);
        }

        Require(truth.Acknowledged >= end && !truth.Lost.Any(lost => lost.End > running.Start));
        var details = JsonDocument.Parse(string.Create(CultureInfo.InvariantCulture, $$"""{"start":{{running.Start}},"end":{{end}}}""")).RootElement;
        try
        {
            var backup = await running.Session.SealAsync(details, None);
            truth.Sealed.Add(backup.Id);
            store.Require(store.Has(agent.Layout.Manifest(backup.Id)), 3, $"{backup.Id} was reported as sealed and does not exist");
        }
        finally
        {
            await EndSessionAsync(running);
        }
    }

    private Task GiveUpBackupAsync(SimulatedAgent agent) => EndSessionAsync(RunningOf(agent)).AsTask();

    private async ValueTask EndSessionAsync(OpenBackup running)
    {
        running.IsEnding = true;
        await running.Session.DisposeAsync();
        store.Running.Remove(running);
    }

    private async Task PruneAsync(SimulatedAgent agent)
    {
        Require(agent.HasLease);
        await agent.Pruner.PruneAsync(agent, allowLarge: random.Next(4) > 0, random.Next(4) == 0 ? TimeSpan.Zero : null, None);
    }

    /// <summary>Invariant 8: with a store that fails, and does not lie, nothing sound is ever called damaged or missing.</summary>
    private async Task VerifyAsync(SimulatedAgent agent)
    {
        agent.Store.Begin(step, agent.Store.FaultsPerHundred, Lie.None);
        var run = new VerificationRun("source", random.Next(2) == 0 ? VerifyScope.All : VerifyScope.New, new Progress<TransferProgress>(), agent.Clock);
        var backups = await new BackupVerifier(agent.Repository, agent.Layout, "part0.tar").VerifyAsync(_ => new NoCheck(), run, None);
        var log = await new LogVerifier(agent.Repository, "source", agent.Log).VerifyAsync(await agent.Log.ReadInventoryAsync(None), 0, (_, _) => null, run, None);

        // An object without a manifest may be what a killed session left as well as what is left of a lost backup, and is called that.
        var known = store.Backups.Select(b => b.Id).ToHashSet();
        foreach (var damage in backups.Damage.Where(d => known.Contains(d.Id)))
        {
            store.Require(false, 8, $"{agent.Name} says that {damage.Subject} {damage.What}");
        }

        foreach (var damage in log.Damage)
        {
            store.Require(false, 8, $"{agent.Name} says that {damage.What}");
        }
    }

    private async Task ListAsync(SimulatedAgent agent)
    {
        agent.Store.Begin(step, agent.Store.FaultsPerHundred, Lie.None);
        var listed = await agent.Repository.ListBackupsAsync(agent.Layout, None);
        store.Require(listed.Damaged.Count == 0, 8, $"{agent.Name} says that a manifest is damaged");
        store.Require(listed.Select(b => b.Id).SequenceEqual(store.Backups.Select(b => b.Id)), 3, $"{agent.Name} lists {string.Join(' ', listed.Select(b => b.Id))}");
        var position = (ulong)random.NextInt64((long)truth.Written + 1);
        var found = await agent.Log.FindSegmentAsync(Truth.Lineage, position, None);
        store.Require((found is not null) == store.Has(agent.Log.Names.SegmentKey(Truth.Lineage, Truth.Naming.SegmentAt(position))), 8, $"{agent.Name} says that the segment at {position} is {(found is null ? "not " : "")}there");
    }

    private async Task HoldAsync(SimulatedAgent agent)
    {
        var chosen = Any(store.Backups).Id;
        await new BackupHolds(agent.Repository).HoldAsync(agent.Layout, chosen, "because", agent.Name, None);
        truth.Held.Add(chosen);
    }

    private async Task ReleaseAsync(SimulatedAgent agent)
    {
        // Few are held at a time, lest retention has nothing to do.
        var chosen = Any(truth.Held);
        truth.Held.Remove(chosen);
        await new BackupHolds(agent.Repository).ReleaseAsync(agent.Layout, chosen, None);
    }

    /// <summary>Every backup that exists can be restored, to the last acknowledged byte or to the hole behind it.</summary>
    private async Task RestoreAsync()
    {
        var backup = Any(store.Backups);

        // First what is claimed, then the store: a writer goes on beside this.
        var acknowledged = truth.Acknowledged;
        var copy = await store.CopyAsync();
        var (outcome, end) = await RestoreFromAsync(copy, backup);
        var window = store.Backups.MaxBy(b => b.Start)!.Start;
        var hole = truth.Lost.Where(lost => lost.End > backup.Start).Select(lost => lost.Start).DefaultIfEmpty(ulong.MaxValue).Min();
        store.Require(outcome is null, 7, $"backup {backup.Id} cannot be restored: {outcome}");
        store.Require(end >= backup.End && end <= hole, 9, $"backup {backup.Id} was restored to {end}, and its log ends at {hole}");
        store.Require(backup.Start < window || end >= Math.Min(acknowledged, hole), 5, $"the newest backup was restored to {end}, and {acknowledged} was acknowledged");
    }

    /// <summary>Invariant 6: from a store in which one byte or one object is not what it was, comes what was stored or an error.</summary>
    private async Task RestoreDamagedAsync()
    {
        var backup = Any(store.Backups);
        var copy = await store.CopyAsync();
        var entries = new List<ObjectInfo>();
        await foreach (var entry in copy.ListAsync("", null, None))
        {
            entries.Add(entry);
        }

        var victim = Any(entries).Key;
        var content = await Documents.SmallObjects.ReadAllAsync(copy, victim, None);
        switch (random.Next(3))
        {
            case 0 when content.Length > 0:
                content[random.Next(content.Length)] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                content = content[..random.Next(content.Length + 1)];
                break;
            default:
                content = await Documents.SmallObjects.ReadAllAsync(copy, Any(entries).Key, None);
                break;
        }

        await copy.ReplaceAsync(victim, content, None);
        await RestoreFromAsync(copy, backup);
    }

    /// <returns>Why it was refused, or how far it came; what came is compared with the truth.</returns>
    private async Task<(string? Refusal, ulong End)> RestoreFromAsync(MemoryObjectStore from, StoredBackup backup)
    {
        var repository = new BackupRepository(from, options, new SimulatedClock(() => calendar));
        var log = repository.OpenLog("source/log", Truth.Naming);
        try
        {
            var manifest = (await repository.ListBackupsAsync(WatchedStore.Layout, None)).FirstOrDefault(b => b.Id == backup.Id);
            if (manifest is null)
            {
                return ("its manifest is not there", 0);
            }

            foreach (var named in manifest.Manifest.Objects)
            {
                using var target = new MemoryStream();
                await using var source = repository.OpenRead(named, ContentProof.StoredAndContent);
                await source.CopyToAsync(target);
                store.Require(target.ToArray().AsSpan().SequenceEqual(truth.Content(0, (ulong)target.Length)) && target.Length == named.ContentBytes, 6, $"'{named.Key}' was restored with other bytes");
            }

            var inventory = await log.ReadInventoryAsync(None);
            var cover = inventory.Cover(Truth.Lineage, SimulatedAgent.StartOf(manifest));
            foreach (var piece in cover.Pieces)
            {
                using var target = new MemoryStream();
                await log.CopyAsync(piece, target, None);
                store.Require(target.ToArray().AsSpan().SequenceEqual(truth.Content(piece.Range.Start, piece.Range.End)), 6, $"'{piece.Key}' was restored with other bytes");
            }

            return (cover.End < SimulatedAgent.EndOf(manifest) ? "its log is incomplete" : null, cover.End);
        }
        catch (Exception refused) when (refused is NotRestorableException or InvalidDataException or ObjectNotFoundException)
        {
            return (refused.Message, 0);
        }
    }

    private Task PassAsync(TimeSpan time)
    {
        calendar += time;
        return Task.CompletedTask;
    }

    private Task SetClockAsync(int place)
    {
        ahead[place] = random.Next(3) == 0 ? TimeSpan.Zero : TimeSpan.FromHours(random.Next(-240, 240));
        if (agents[place] is { } agent)
        {
            agent.Clock.Ahead = ahead[place];
        }

        return Task.CompletedTask;
    }

    private async Task LoseSlotAsync()
    {
        Require(random.Next(2) == 0);
        foreach (var agent in agents)
        {
            await (agent?.EndTailAsync() ?? Task.CompletedTask);
        }

        truth.LoseSlot(store.DurableFrom(truth.Acknowledged));
    }

    /// <summary>One agent does not reach the store for a while; the other one may take over, when the first has fallen silent for long enough.</summary>
    private async Task CutOffAsync(SimulatedAgent agent)
    {
        agent.Store.IsCutOff = true;
        var other = agents.FirstOrDefault(a => a is not null && a != agent);
        try
        {
            for (var seconds = random.Next(5, 50); seconds > 0; seconds--)
            {
                Tick();
                await Task.Yield();
                if (seconds % 3 == 0 && other is { HasLease: false })
                {
                    await other.TryTakeLeaseAsync();
                }
            }
        }
        finally
        {
            // Also when the other one died on the way.
            agent.Store.IsCutOff = false;
            await SettleAsync();
        }
    }

    /// <summary>Until each knows where it stands: whoever has the lease has renewed it, whoever lost it has seen that.</summary>
    private async Task SettleAsync()
    {
        for (var tries = 0; tries < 20_000 && !agents.All(a => a?.KnowsWhereItStands ?? true); tries++)
        {
            if (tries % 200 == 199)
            {
                Tick();
            }

            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }

        agents.ShouldAllBe(a => a == null || a.KnowsWhereItStands);
    }

    private void Tick()
    {
        calendar += TimeSpan.FromSeconds(1);
        foreach (var agent in agents)
        {
            agent?.Clock.Advance(TimeSpan.FromSeconds(1));
        }
    }

    private async Task EndAsync(SimulatedAgent agent)
    {
        try
        {
            await agent.ReleaseAsync();
        }
        finally
        {
            agent.Store.Die();
        }
    }

    private Task DieAsync(SimulatedAgent agent)
    {
        agent.Store.Die();
        return Task.CompletedTask;
    }

    /// <summary>What a dead process had is gone: its sessions, its part of the lease, its place among the running.</summary>
    private async Task BuryAsync()
    {
        for (var place = 0; place < agents.Length; place++)
        {
            if (agents[place] is { Store.IsDead: true } dead)
            {
                agents[place] = null;
                dead.Machine.Running.Remove(dead.Process);
                foreach (var running in store.Running.Where(r => r.Owner == dead).ToList())
                {
                    await EndSessionAsync(running);
                }

                await dead.DisposeAsync();
            }
        }
    }

    private async Task JudgeAsync()
    {
        foreach (var held in truth.Held)
        {
            store.Require(store.Backups.Any(b => b.Id == held), 7, $"{held} is held and gone");
        }

        if (store.Backups.Count > 0 && step % 10 == 0)
        {
            await RestoreAsync();
        }

        if (store.Violations is [var first, ..])
        {
            throw new InvalidOperationException(Sentence(first));
        }
    }

    private string Sentence(string what) =>
        $"Seed {seed}, step {step}. {what}\nSIMULATION_SEEDS={seed} SIMULATION_STEPS={step} repeats it. The last steps:\n{string.Join('\n', story.TakeLast(25))}";

    private OpenBackup RunningOf(SimulatedAgent agent)
    {
        var running = store.Running.Where(r => r.Owner == agent).ToList();
        Require(running.Count > 0);
        return Any(running);
    }

    private T Any<T>(IEnumerable<T> things)
    {
        List<T> all = [.. things];
        Require(all.Count > 0);
        return all[random.Next(all.Count)];
    }

    private void Tell(string sentence) => story.Add($"  {step}: {sentence}");

    private static void Require(bool possible)
    {
        if (!possible)
        {
            throw new Impossible();
        }
    }

    /// <summary>The deed cannot be done now; another step does another.</summary>
    private sealed class Impossible() : Exception("not now");

    private sealed class NoCheck : IBackupCheck, IContentCheck
    {
        public IContentCheck Begin(BackupObject content) => this;

        public string? FindContradiction() => null;

        public void Feed(ReadOnlySpan<byte> bytes)
        {
        }

        public void Complete()
        {
        }

        public void Dispose()
        {
        }
    }
}
