using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Verification;

public sealed class PostgresVerifierTests(RecordedArchive archive) : IClassFixture<RecordedArchive>
{
    [Fact]
    public async Task A_sound_repository_is_clean_in_every_scope()
    {
        await using var agent = Agent.For(null, archive.Store);
        foreach (var scope in (VerifyScope[])[VerifyScope.All, VerifyScope.Latest, new VerifyScope(archive.FirstBackup)])
        {
            var report = await agent.VerifyAsync(scope);
            report.Damage.ShouldBeEmpty(scope.ToString());
            report.ObjectsRead.ShouldBeGreaterThan(4);
        }

        (await Should.ThrowAsync<UsageException>(() => agent.VerifyAsync(new VerifyScope("20000101_000000")))).Message.ShouldContain(archive.FirstBackup);
    }

    [Fact]
    public async Task Each_object_that_is_flipped_truncated_or_removed_is_named()
    {
        foreach (var (how, damage) in new Dictionary<string, Func<MemoryObjectStore, ObjectKey, Task>>
        {
            ["flipped"] = (store, key) => store.FlipAsync(key),
            ["truncated"] = (store, key) => store.TruncateAsync(key),
            ["removed"] = (store, key) => store.RemoveAsync(key),
        })
        {
            foreach (var entry in await SampleAsync())
            {
                if (IsRegister(entry.Key) || (how == "removed" && IsUnknowable(entry.Key)))
                {
                    continue;
                }

                var store = await archive.CopyAsync();
                await damage(store, entry.Key);
                await using var agent = Agent.For(null, store);

                var report = await agent.VerifyAsync();

                report.Damage.ShouldNotBeEmpty($"{entry.Key} {how}");
                if (how != "removed" && !IsDocument(entry.Key))
                {
                    report.Damage.ShouldContain(d => d.Subject.Contains(entry.Key.Value, StringComparison.Ordinal), $"{entry.Key} {how}: {report.Damage[0]}");
                }
            }
        }
    }

    [Fact]
    public async Task A_timeline_that_does_not_begin_where_its_parent_ends_is_found()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        var log = await agent.LogAsync();
        await log.PutFileAsync("00000002.history", "1\t0/FF00000\tno recovery target specified\n"u8.ToArray(), CancellationToken.None);
        await store.ReplaceAsync(
            new ObjectKey("postgres/wal/0000000200000000000000FF.zst"),
            await store.ReadAsync((await store.ListAsync("postgres/wal/0")).First(o => o.Key.Value.EndsWith(".zst", StringComparison.Ordinal)).Key),
            CancellationToken.None);

        (await agent.VerifyAsync()).Damage.ShouldContain(d => d.What.Contains("timeline 2 follows 1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_damaged_history_is_named()
    {
        var store = await archive.CopyAsync();
        await using var agent = Agent.For(null, store);
        await (await agent.LogAsync()).PutFileAsync("00000002.history", "nonsense\n"u8.ToArray(), CancellationToken.None);

        (await agent.VerifyAsync()).Damage.ShouldHaveSingleItem().Subject.ShouldBe("postgres/wal/00000002.history");
    }

    /// <summary>Claims and leases hold no backup data.</summary>
    private static bool IsRegister(ObjectKey key) => key.Value.EndsWith("begun.json", StringComparison.Ordinal) || key.Value == "postgres/identity.json"
        || key.Value.StartsWith("postgres/lease/", StringComparison.Ordinal);

    /// <summary>What was there can only be known where something else tells of it.</summary>
    private static bool IsUnknowable(ObjectKey key) =>
        key.Value.Contains("/marks/", StringComparison.Ordinal) || key.Value.EndsWith("manifest.json", StringComparison.Ordinal)
        || key.Value.EndsWith("confirmed.json", StringComparison.Ordinal);

    /// <summary>A document may say something else when it is damaged, and then that is found to be wrong.</summary>
    private static bool IsDocument(ObjectKey key) => key.Value.EndsWith(".json", StringComparison.Ordinal);

    /// <summary>One backup, and of the log one whole segment, one chunk and what lies beside: reading all back for each of the rest would only take time.</summary>
    private async Task<List<ObjectInfo>> SampleAsync()
    {
        var all = await archive.Store.ListAsync("postgres/");
        var segments = all.Where(o => o.Key.Value.StartsWith("postgres/wal/0", StringComparison.Ordinal)).ToList();
        var chunks = all.Where(o => o.Key.Value.StartsWith("postgres/wal/tail/0", StringComparison.Ordinal)).ToList();
        return
        [
            .. all.Except(segments).Except(chunks).Where(o => !o.Key.Value.Contains(archive.FirstBackup, StringComparison.Ordinal)),
            segments[segments.Count / 2],
            chunks[0],
        ];
    }
}
