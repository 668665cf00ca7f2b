using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Tests.Log;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Retention;

/// <summary>A session that lives, and that a prune behind a clock that was set takes for what a dead one left.</summary>
public sealed class SweptSessionTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly PruneBench bench = new();

    [Fact]
    public async Task A_session_that_was_swept_does_not_seal()
    {
        await bench.FillAsync(12);
        await using var session = await BeginAsync();
        bench.Clock.Advance(TimeSpan.FromDays(4));
        await bench.PruneAsync();

        (await Should.ThrowAsync<SourceException>(() => bench.SealAsync(session))).Message.ShouldContain("compare the clocks of the agents");

        (await bench.IdsAsync()).ShouldNotContain(session.Id.ToString());
    }

    [Fact]
    public async Task One_that_is_being_swept_takes_its_manifest_back()
    {
        await bench.FillAsync(2);
        var sweeps = new SweepingStore(bench.Behind);
        var swept = new PruneBench(bench.Clock, bench.Behind, _ => sweeps);
        await using var session = await swept.Repository.BeginBackupAsync(swept.Layout, None);
        sweeps.Tombstone = swept.Layout.Tombstone(session.Id);

        await Should.ThrowAsync<SourceException>(() => swept.SealAsync(session));

        (await bench.KeysAsync(bench.Layout.PrefixOf(session.Id))).ShouldNotContain(bench.Layout.Manifest(session.Id).Value);
    }

    [Fact]
    public async Task One_that_was_swept_leaves_alone_what_a_later_one_put_under_its_id()
    {
        await bench.FillAsync(2);
        var session = await BeginAsync();
        var swept = (await bench.KeysAsync()).Where(key => key.StartsWith(bench.Layout.PrefixOf(session.Id), StringComparison.Ordinal));
        await bench.Store.DeleteAsync([.. swept.Select(key => new ObjectKey(key))], None);
        await using var later = await bench.Repository.BeginBackupAsync(bench.Layout, None);
        later.Id.ShouldBe(session.Id);

        await session.DisposeAsync();

        (await bench.KeysAsync()).ShouldContain(bench.Layout.Claim(later.Id).Value);
    }

    private async Task<BackupSession> BeginAsync()
    {
        var session = await bench.Repository.BeginBackupAsync(bench.Layout, None);
        await using var writer = session.BeginObject("first.tar");
        await writer.WriteAsync(LogBench.Random(1, 500), None);
        await session.SealObjectAsync(writer, None);
        return session;
    }

    /// <summary>A sweep that puts its tombstone between the session's first look and its manifest.</summary>
    private sealed class SweepingStore(IObjectStore inner) : StoreDecorator(inner), IObjectStore
    {
        private readonly IObjectStore inner = inner;

        public ObjectKey? Tombstone { get; set; }

        async Task<bool> IObjectStore.PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, CancellationToken cancellationToken)
        {
            if (Tombstone is { } tombstone && key.Name == "manifest.json")
            {
                await inner.PutIfAbsentAsync(tombstone, "{}"u8.ToArray(), cancellationToken);
            }

            return await inner.PutIfAbsentAsync(key, content, protection, cancellationToken);
        }
    }
}
