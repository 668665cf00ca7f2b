using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Tail;

/// <summary>
/// Asks the server how long it will go on keeping WAL for the slot. It asks over a connection of its own: when the store does not take anything the stream stands
/// still, and that is when the answer matters.
/// </summary>
internal sealed class SlotWatch(PostgresOptions options, PostgresSql sql, TimeProvider clock)
{
    /// <summary>Disks fill in minutes, and a question costs both sides a few milliseconds.</summary>
    internal static readonly TimeSpan AskEvery = TimeSpan.FromMinutes(1);

    private volatile SlotRoom known = new(null, null);

    /// <summary>What the server last said; nothing while it does not answer.</summary>
    public SlotRoom Known => known;

    /// <summary>Asks until stopped. A server that cannot be asked is the tail's to report.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            known = await AskAsync(stopping);
            await Task.Delay(AskEvery, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<SlotRoom> AskAsync(CancellationToken stopping)
    {
        try
        {
            return await sql.ReadSlotRoomAsync(options.Slot, stopping);
        }
        catch (Exception unanswered) when (unanswered is SourceException or OperationCanceledException || PostgresFailure.IsExpected(unanswered))
        {
            return new SlotRoom(null, null);
        }
    }
}
