using Npgsql;
using NpgsqlTypes;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Torture.Stores;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>All who take part, for those who make trouble.</summary>
internal sealed class Scene
{
    /// <summary>After whatever happened, the agent must be level with the server again within this, on the busiest machine.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>Where new servers go.</summary>
    public required Volume Disk { get; init; }

    public required TortureStore Store { get; init; }

    public required AgentClock Clock { get; init; }

    public required AgentGauge Gauge { get; init; }

    /// <summary>How many holes the log has, all of them made on purpose.</summary>
    public int GapsExpected { get; set; }

    public required Random Random { get; init; }

    public required TortureReport Report { get; init; }

    public required Action<string> Say { get; init; }

    public required AgentProcess Agent { get; init; }

    public required ProtectedServer Server { get; init; }

    /// <summary>Whether one agent lives through it all.</summary>
    public required bool SparesAgent { get; init; }

    public required Ledger Ledger { get; init; }

    public required AgentClaims Claims { get; init; }

    public required Workload Workload { get; init; }

    public required LedgerCheck Check { get; init; }

    public bool OneIn(int chances) => Random.Next(chances) == 0;

    public Task PauseAsync(int least, int most) =>
        Task.Delay(TimeSpan.FromMilliseconds(Random.Next(least, Math.Max(least + 1, most))), TimeProvider.System, CancellationToken.None);

    public async Task KillAgentAsync()
    {
        if (SparesAgent)
        {
            return;
        }

        var runs = Agent.IsRunning;
        await Agent.KillAsync();
        Report.Count("kills: agent", runs ? 1 : 0);
    }

    public async Task KillServerAsync()
    {
        var runs = Server.Server.IsRunning;
        await Server.KillAsync();
        Report.Count("kills: server", runs ? 1 : 0);
    }

    /// <summary>Waits until the agent claims all that the server has now.</summary>
    public async Task UntilLevelAsync()
    {
        Moment? now = null;
        await Eventually.TrueAsync(
            async () =>
            {
                await Workload.RequireWellAsync();
                now = await TryReadNowAsync();
                return now is not null;
            },
            "the server takes connections");
        await UntilClaimedAsync(now!.Value.Position);
        Gauge.Look(Agent.ProcessId);
    }

    private async Task<Moment?> TryReadNowAsync()
    {
        try
        {
            return await Server.NowAsync();
        }
        catch (NpgsqlException)
        {
            return null; // it recovers from what was done to it
        }
    }

    public Task UntilClaimedAsync(NpgsqlLogSequenceNumber position) => Eventually.TrueAsync(
        async () =>
        {
            await Workload.RequireWellAsync();
            return Claims.Position >= position;
        },
        $"the agent claims {position}",
        Patience,
        () => $"It claims {Claims.Position}. {Claims.LastAnswer}");
}
