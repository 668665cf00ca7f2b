using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Simulation;

/// <summary>A sealed backup as its manifest in the store describes it.</summary>
internal sealed record StoredBackup(BackupId Id, IReadOnlyList<BackupObject> Objects, ulong Start, ulong End, DateTimeOffset Ended);

/// <summary>
/// The store in memory, with a judge at its door: each change is held against the invariants at the moment at which it takes effect, whoever makes it. Changes are
/// one at a time, so what the judge sees is what is there.
/// </summary>
internal sealed class WatchedStore(SimulatedClock clock, Truth truth, RepositoryOptions options)
{
    private const int PagesRemembered = 40;

    private readonly Lock gate = new();
    private readonly MemoryObjectStore memory = new(clock);
    private readonly List<string> violations = [];
    private readonly List<ImmutableSortedDictionary<string, Stored>> past = [];
    private readonly Dictionary<BackupId, StoredBackup> backups = [];
    private readonly Dictionary<string, LogPiece> pieces = [];
    private ImmutableSortedDictionary<string, Stored> objects = ImmutableSortedDictionary.Create<string, Stored>(StringComparer.Ordinal);
    private IReadOnlyList<LogSection> holes = [];
    private int changes;

    public static SnapshotLayout Layout { get; } = new("source", "source/full/", '/');

    /// <summary>The sentences of what was broken, in the order in which it was.</summary>
    public IReadOnlyList<string> Violations
    {
        get
        {
            lock (gate)
            {
                return [.. violations];
            }
        }
    }

    public IReadOnlyCollection<StoredBackup> Backups
    {
        get
        {
            lock (gate)
            {
                return [.. backups.Values.OrderBy(b => b.Id)];
            }
        }
    }

    public int BackupsRemoved { get; private set; }

    /// <summary>How many sessions were swept that lived.</summary>
    public int SessionsSwept { get; private set; }

    /// <summary>Sessions that may still seal; what they need is needed.</summary>
    public List<OpenBackup> Running { get; } = [];

    public bool Has(ObjectKey key)
    {
        lock (gate)
        {
            return objects.ContainsKey(key.Value);
        }
    }

    /// <summary>Who has the newest lease, by name.</summary>
    public string? Holder
    {
        get
        {
            lock (gate)
            {
                return FindHolder();
            }
        }
    }

    /// <summary>All that is in the store now, as a store of its own.</summary>
    public async Task<MemoryObjectStore> CopyAsync()
    {
        ImmutableSortedDictionary<string, Stored> now;
        lock (gate)
        {
            now = objects;
        }

        var copy = new MemoryObjectStore(clock);
        foreach (var (key, stored) in now)
        {
            await copy.ReplaceAsync(new ObjectKey(key), stored.Bytes, CancellationToken.None);
        }

        return copy;
    }

    /// <summary>Something that a lying listing may show again.</summary>
    public void RememberListing()
    {
        lock (gate)
        {
            past.Add(objects);
            if (past.Count > PagesRemembered)
            {
                past.RemoveAt(0);
            }
        }
    }

    public void Require(bool holds, int invariant, string otherwise)
    {
        lock (gate)
        {
            Check(holds, invariant, otherwise);
        }
    }

    /// <summary>How far the log lies in the store without a hole, whatever anybody was told of it.</summary>
    public ulong DurableFrom(ulong position)
    {
        lock (gate)
        {
            return LogCover.Find(pieces.Values, Truth.Lineage, position).End;
        }
    }

    /// <summary>The position that a writer says is durable, judged at the moment at which it says so.</summary>
    public void Acknowledge(ulong start, ulong position, ulong received, ulong before)
    {
        lock (gate)
        {
            Check(position >= before, 5, $"the acknowledged position went back from {before} to {position}");
            Check(position <= received && position <= truth.Written, 5, $"{position} was acknowledged, and only {received} received");
            var end = ReachFrom(start);
            Check(end >= position, 5, $"{position} was acknowledged, and from {start} on only what lies before {end} is durable");
            truth.Acknowledged = Math.Max(truth.Acknowledged, position);
        }
    }

    public Task<bool> PutIfAbsentAsync(SimulatedAgent by, ObjectKey key, ReadOnlyMemory<byte> content) => Task.FromResult(Change(() =>
    {
        var created = memory.PutIfAbsentAsync(key, content, CancellationToken.None).Result;
        if (created)
        {
            Appeared(by, key, content.ToArray());
        }

        return created;
    }));

    public Task ReplaceAsync(SimulatedAgent by, ObjectKey key, ReadOnlyMemory<byte> content) => Task.FromResult(Change(() =>
    {
        Check(IsRegister(key), 2, $"'{key}' is no register and was replaced");
        memory.ReplaceAsync(key, content, CancellationToken.None).Wait();
        Appeared(by, key, content.ToArray());
        return true;
    }));

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key) => memory.BeginUploadAsync(key, CancellationToken.None);

    public Task<bool> CompleteAsync(SimulatedAgent by, IObjectUpload upload, CancellationToken cancellationToken) => Task.FromResult(Change(() =>
    {
        var was = objects.ContainsKey(upload.Key.Value);
        var completed = upload.CompleteAsync(cancellationToken).Result;
        if (completed && !was)
        {
            Appeared(by, upload.Key, memory.ReadAllAsync(upload.Key, CancellationToken.None).Result);
        }

        return completed;
    }));

    public Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length) => memory.OpenReadAsync(key, offset, length, CancellationToken.None);

    public Task<ObjectInfo?> HeadAsync(ObjectKey key) => memory.HeadAsync(key, CancellationToken.None);

    /// <param name="breaksOff">Only the first half of them goes, as when a request of many fails in the middle.</param>
    public Task DeleteAsync(SimulatedAgent by, IReadOnlyCollection<ObjectKey> keys, bool breaksOff)
    {
        Change(() =>
        {
            foreach (var key in breaksOff ? keys.Take(keys.Count / 2) : keys)
            {
                if (objects.TryGetValue(key.Value, out var stored))
                {
                    JudgeDelete(by, key, stored);
                    memory.DeleteAsync([key], CancellationToken.None).Wait();
                    objects = objects.Remove(key.Value);
                    Vanished(key);
                }
            }

            return true;
        });
        return breaksOff ? throw new ObjectStoreException("An injected fault: half of the objects were deleted.", isPermanent: false) : Task.CompletedTask;
    }

    public IReadOnlyList<ObjectInfo> List(string prefix, ObjectKey? startAfter, Lie lie)
    {
        ImmutableSortedDictionary<string, Stored> listed;
        int newest;
        lock (gate)
        {
            listed = lie == Lie.Stale && past.Count > 0 ? past[changes % past.Count] : objects;
            newest = changes - 6;
        }

        // As the keys of a sorted dictionary are few here, a filter is as good as a search.
        IEnumerable<ObjectInfo> found = listed
            .Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(pair.Key, startAfter?.Value ?? "") > 0)
            .Where(pair => lie != Lie.WithoutNewest || pair.Value.Change <= newest)
            .Select(pair => new ObjectInfo(new ObjectKey(pair.Key), pair.Value.Bytes.Length, pair.Value.Appeared));
        return lie == Lie.Repeated ? [.. found.SelectMany(entry => (ObjectInfo[])[entry, entry]), .. found.TakeLast(3)] : [.. found];
    }

    private T Change<T>(Func<T> change)
    {
        lock (gate)
        {
            return change();
        }
    }

    private void Appeared(SimulatedAgent by, ObjectKey key, byte[] content)
    {
        objects = objects.SetItem(key.Value, new Stored(content, clock.GetUtcNow(), ++changes));
        if (Layout.TryParse(key, out var id, out var name))
        {
            if (name == SnapshotLayout.ManifestName)
            {
                JudgeManifest(id, content);
            }
        }
        else if (key.Value.StartsWith("source/log/pruned/", StringComparison.Ordinal) || key.Value.StartsWith("source/log/gaps/", StringComparison.Ordinal))
        {
            JudgeWriter(by, key);
            ReadHoles();
        }
        else if (key.Value.StartsWith("source/log/", StringComparison.Ordinal))
        {
            JudgeWriter(by, key);
            JudgePiece(key, content);
        }
    }

    private void Vanished(ObjectKey key)
    {
        if (Layout.TryParse(key, out var id, out var name))
        {
            if (name == SnapshotLayout.ManifestName)
            {
                backups.Remove(id);
                BackupsRemoved++;
            }
        }
        else if (pieces.Remove(key.Value))
        {
            JudgeLog($"'{key}' was deleted");
        }
    }

    /// <summary>Invariant 1: whatever a manifest names is there, byte for byte, at the moment at which the manifest appears; so is the log that makes it consistent.</summary>
    private void JudgeManifest(BackupId id, byte[] content)
    {
        var manifest = ProvenDocument.Read(content, BackupJson.Default.BackupManifest);
        foreach (var named in manifest.Objects)
        {
            Check(
                objects.TryGetValue(named.Key, out var stored) && Convert.ToHexStringLower(SHA256.HashData(stored.Bytes)) == named.StoredSha256,
                1,
                $"the manifest of {id} appeared before '{named.Key}', or without it");
        }

        var backup = new StoredBackup(
            id, manifest.Objects, manifest.Details.GetProperty("start").GetUInt64(), manifest.Details.GetProperty("end").GetUInt64(), manifest.Ended);
        backups[id] = backup;
        JudgeLogOf(backup, "it was sealed");
    }

    private void JudgePiece(ObjectKey key, byte[] content)
    {
        var archive = new LogArchive(memory, "source/log", Truth.Naming, options.Codec, 3, new DocumentStore(memory, options.Encryption.Keyring()));
        if (archive.Names.TryParse(new ObjectInfo(key, content.Length, default)) is not { } piece)
        {
            return;
        }

        // Invariant 6 is the reader's; what is put is what the server sent, and proves itself from the first moment on.
        try
        {
            using var copy = new MemoryStream();
            archive.CopyAsync(piece, copy, CancellationToken.None).GetAwaiter().GetResult();
            Check(piece.Range.End <= truth.Written && copy.ToArray().AsSpan().SequenceEqual(truth.Content(piece.Range.Start, piece.Range.End)), 6, $"'{key}' holds another log than the server's");
            Check(!truth.Lost.Any(gap => LogCover.Find([piece], Truth.Lineage, piece.Range.Start).End > gap.End && piece.Range.Start < gap.End), 9, $"'{key}' reaches over a hole");
        }
        catch (NotRestorableException damage)
        {
            Check(false, 6, $"'{key}' was put without what proves it: {damage.Message}");
        }

        pieces[key.Value] = piece;
    }

    private void JudgeDelete(SimulatedAgent by, ObjectKey key, Stored stored)
    {
        if (Layout.TryParse(key, out var id, out var name))
        {
            JudgeDeleteOfBackup(by, id, name, key, stored);
            return;
        }

        if (key.Value.StartsWith("source/lease/", StringComparison.Ordinal))
        {
            return;
        }

        Check(!key.Value.Contains("/gaps/", StringComparison.Ordinal), 9, $"the record of a gap '{key}' was deleted");
        Check(key.Value is not "repository.json" && !key.Value.StartsWith("keys/", StringComparison.Ordinal) && key.Name is not "plain.json", 2, $"'{key}' was deleted");
        Check(!key.Value.EndsWith(".seal", StringComparison.Ordinal) || !objects.ContainsKey(key.Value[..^5]), 6, $"'{key}' was deleted before the piece that it proves");
        JudgeWriter(by, key);
    }

    private void JudgeDeleteOfBackup(SimulatedAgent by, BackupId id, string name, ObjectKey key, Stored stored)
    {
        var hasTombstone = objects.ContainsKey(Layout.Tombstone(id).Value);
        if (name == SnapshotLayout.ManifestName)
        {
            var backup = backups[id];
            Check(hasTombstone, 4, $"the manifest of {id} was deleted, and nothing tells what belongs to it");
            Check(!truth.Held.Contains(id), 7, $"{id} was deleted although it is held");
            Check(
                !objects.ContainsKey(Layout.Proof(id).Value) || backups.Values.Any(b => b.Id > id && objects.ContainsKey(Layout.Proof(b.Id).Value)),
                7,
                $"{id} was deleted, the newest verified backup");
            Check(backups.Values.Any(b => b.Id > id), 7, $"{id} was deleted, the newest backup");
            Check(backup.Objects.All(o => objects.ContainsKey(o.Key)), 4, $"objects of {id} were deleted before its manifest");
            JudgeWriter(by, key);
        }
        else if (name is not (SnapshotLayout.HoldName or SnapshotLayout.TombstoneName or SnapshotLayout.ProofName or SnapshotLayout.DamageName))
        {
            Check(!backups.ContainsKey(id), 4, $"'{key}' was deleted while its manifest is there");
            JudgeSweep(by, id, key, stored, hasTombstone);
        }
    }

    /// <summary>Invariants 3 and 7: what has no manifest goes by the hand of its own session, after a manifest that was there, or when nothing of it has moved for the stated age.</summary>
    private void JudgeSweep(SimulatedAgent by, BackupId id, ObjectKey key, Stored stored, bool hasTombstone)
    {
        var session = Running.Find(r => r.Session.Id == id);
        if (session?.IsEnding == true && session.Owner == by)
        {
            return;
        }

        var isOld = by.Clock.GetUtcNow() - stored.Appeared > by.Retention.SweepAfter;
        Check(hasTombstone, 3, $"'{key}' was swept, and nothing kept its session from sealing");
        Check(session is null || isOld || session.WasOld, 7, $"'{key}' of a running backup was deleted");
        if (session is { WasOld: false })
        {
            session.WasOld = true;
            SessionsSwept++;
        }

        JudgeWriter(by, key);
    }

    /// <summary>Who changes the log or removes anything holds the newest lease: nobody else writes.</summary>
    private void JudgeWriter(SimulatedAgent by, ObjectKey key) =>
        Check(FindHolder() is not { } holder || holder == by.Name, 2, $"{by.Name} changed '{key}' while another had the lease");

    /// <summary>
    /// Invariants 5, 7 and 9 after something of the log went: what was acknowledged is there, or retention recorded that it is not meant to be, or a gap tells that
    /// it never was; and each backup, sealed or running, has the log that it needs.
    /// </summary>
    private void JudgeLog(string why)
    {
        var reach = ReachFrom(0);
        Check(reach >= truth.Acknowledged, 5, $"{why}: what was acknowledged at {reach} is gone, and nothing tells why");
        foreach (var backup in backups.Values)
        {
            JudgeLogOf(backup, why);
        }

        foreach (var running in Running.Where(r => !r.WasOld && !r.IsEnding && objects.ContainsKey(Layout.Claim(r.Session.Id).Value)))
        {
            var needed = Math.Min(truth.Acknowledged, truth.Lost.Where(l => l.End > running.Start).Select(l => (ulong?)l.Start).Min() ?? ulong.MaxValue);
            Check(LogCover.Find(pieces.Values, Truth.Lineage, running.Start).End >= needed, 7, $"{why}: the running backup {running.Session.Id} needs the log from {running.Start} on");
        }
    }

    /// <summary>How far every byte is there, or recorded as a gap, or as removed by retention.</summary>
    private ulong ReachFrom(ulong position)
    {
        while (true)
        {
            var end = LogCover.Find(pieces.Values, Truth.Lineage, position).End;
            if (holes.Where(h => h.Start <= end && end < h.End).Select(h => (ulong?)h.End).Max() is not { } next)
            {
                return end;
            }

            position = next;
        }
    }

    private void JudgeLogOf(StoredBackup backup, string why) => Check(
        LogCover.Find(pieces.Values, Truth.Lineage, backup.Start).End >= backup.End,
        7,
        $"{why}: backup {backup.Id} needs the log from {backup.Start} to {backup.End}");

    private void ReadHoles()
    {
        var found = new List<LogSection>();
        foreach (var (key, stored) in objects)
        {
            if (key.StartsWith("source/log/gaps/", StringComparison.Ordinal))
            {
                var gap = ProvenDocument.Read(stored.Bytes, LogJson.Default.LogGap);
                found.Add(new LogSection(gap.Lineage, gap.Start, gap.End));
            }
            else if (key.StartsWith("source/log/pruned/", StringComparison.Ordinal))
            {
                found.AddRange(ProvenDocument.Read(stored.Bytes, RetentionJson.Default.PrunedLogDocument).Sections);
            }
        }

        holes = found;
    }

    private string? FindHolder()
    {
        // A lease's documents sort by epoch, each before its beat.
        var newest = objects.Where(pair => pair.Key.StartsWith("source/lease/", StringComparison.Ordinal) && !pair.Key.EndsWith(".beat.json", StringComparison.Ordinal)).LastOrDefault();
        return newest.Key is null ? null : ProvenDocument.Read(newest.Value.Bytes, LeaseJson.Default.LeaseDocument).Instance;
    }

    private static bool IsRegister(ObjectKey key) =>
        key.Value is "source/log/tail/confirmed.json" || key.Value.StartsWith("source/verified/", StringComparison.Ordinal) || key.Name is "verified.json" or "damaged.json"
        || key.Value.EndsWith(".beat.json", StringComparison.Ordinal);

    private void Check(bool holds, int invariant, string otherwise)
    {
        if (!holds)
        {
            violations.Add(string.Create(CultureInfo.InvariantCulture, $"Invariant {invariant}: {otherwise}."));
        }
    }

    private sealed record Stored(byte[] Bytes, DateTimeOffset Appeared, int Change);
}
