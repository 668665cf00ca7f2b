using System.Text.Json;
using NpgsqlTypes;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>While the agent is away its slot is dropped or outgrows its limit, and the server recycles what nobody has yet.</summary>
internal static class SlotLoss
{
    private const string Slot = "nlds_backup";

    /// <summary>The gap must be recorded and healed by a base backup at once; no restore may cross it, and what lies before it stays.</summary>
    public static async Task OfAsync(Scene scene)
    {
        await scene.KillAgentAsync();
        var (before, moments) = (scene.Claims.Position, scene.Ledger.Moments);
        await LoseAsync(scene, before);
        scene.Report.Count("slots lost, with the log");
        scene.Agent.Start();
        await scene.UntilLevelAsync();
        await scene.Check.LatestAsync();
        await CheckHoleAsync(scene, moments.LastOrDefault(moment => moment.Position <= before));
        scene.Ledger.Forget(_ => true);
    }

    private static async Task LoseAsync(Scene scene, NpgsqlLogSequenceNumber durable)
    {
        var server = scene.Server.Server;
        var drops = scene.OneIn(2);
        await Eventually.TrueAsync(() => server.ScalarAsync<bool>($"SELECT NOT active FROM pg_replication_slots WHERE slot_name = '{Slot}'"), "the server has seen that the agent is gone");
        await server.ExecuteAsync("ALTER SYSTEM SET wal_keep_size = 0");
        await server.ExecuteAsync(drops ? $"SELECT pg_drop_replication_slot('{Slot}')" : "ALTER SYSTEM SET max_slot_wal_keep_size = '2MB'");
        await server.ExecuteAsync("SELECT pg_reload_conf()");
        await Eventually.TrueAsync(
            async () =>
            {
                await server.ExecuteAsync("SELECT pg_logical_emit_message(false, 'torture', repeat('x', 3000000))");
                await server.ExecuteAsync("SELECT pg_switch_wal()");
                await server.ExecuteAsync("CHECKPOINT");
                return await server.ScalarAsync<bool>($"SELECT min(substr(name, 9)) > substr(pg_walfile_name('{durable}'), 9) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{{24}}$'");
            },
            "the server has recycled what the agent does not have");
        await server.ExecuteAsync("ALTER SYSTEM RESET wal_keep_size");
        await server.ExecuteAsync("ALTER SYSTEM RESET max_slot_wal_keep_size");
        await server.ExecuteAsync("SELECT pg_reload_conf()");
    }

    private static async Task CheckHoleAsync(Scene scene, Moment before)
    {
        using var list = JsonDocument.Parse(await scene.Agent.RunAsync("list", "postgres", "--json"));
        var gaps = list.RootElement.GetProperty("sources")[0].GetProperty("log").GetProperty("gaps").EnumerateArray().ToList();
        if (gaps.Count != scene.GapsExpected + 1)
        {
            throw new TortureException($"The agent lost its slot {scene.GapsExpected + 1} times and has recorded {gaps.Count} gaps.");
        }

        scene.GapsExpected++;
        var (start, end) = (Position(gaps[^1], "from"), Position(gaps[^1], "to"));
        await scene.Check.RefusedAsync((start + (((ulong)end - (ulong)start) / 2) + 1).ToString());
        if (before != default && before.Position > default(NpgsqlLogSequenceNumber) && scene.Ledger.Moments.Contains(before))
        {
            await scene.Check.PositionAsync(before.Position);
        }
    }

    private static NpgsqlLogSequenceNumber Position(JsonElement gap, string name) => NpgsqlLogSequenceNumber.Parse(gap.GetProperty(name).GetString()!);
}
