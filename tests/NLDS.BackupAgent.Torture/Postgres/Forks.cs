using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>Lets another server take the protected one's place: a promoted standby, or what the repository gave back.</summary>
internal static class Forks
{
    /// <summary>A standby that is level, or nearly, takes over from a primary that was killed.</summary>
    public static async Task ToStandbyAsync(Scene scene)
    {
        var standby = await scene.Server.Server.CreateStandbyAsync();
        await Eventually.TrueAsync(() => standby.ScalarAsync<bool>("SELECT count(*) = 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'"), "the standby streams");
        await scene.PauseAsync(0, 1500);
        var agentDies = scene.OneIn(2);
        if (agentDies)
        {
            await scene.KillAgentAsync();
        }

        await scene.KillServerAsync();
        await standby.PromoteAsync();
        await TakeOverAsync(scene, standby);
        scene.Report.Count("standbys promoted");
        if (agentDies)
        {
            scene.Agent.Start();
        }

        await FollowedAsync(scene);
    }

    /// <summary>The disk is lost: what the repository gives back, all or to a moment, is the server from now on.</summary>
    public static async Task ToRestoredAsync(Scene scene)
    {
        await scene.KillServerAsync();
        await scene.KillAgentAsync();
        var least = scene.Ledger.Claimed;
        var directory = Path.Combine(scene.Disk.Path, $"server-{scene.Ledger.Epoch + 1}");
        var adopts = scene.OneIn(2);
        string[] words = adopts ? ["--target-directory", directory] : ["--if-empty", "--target-directory", directory];
        var moments = scene.Ledger.Moments.Where(moment => moment.Position <= scene.Claims.Position).ToList();
        var past = scene.OneIn(3) && moments.Count > 0 ? moments[scene.Random.Next(moments.Count)] : (Moment?)null;
        await scene.Agent.RunAsync(["restore", "postgres", .. words, .. past is { } at ? ["--to", at.Position.ToString()] : Array.Empty<string>()]);
        var restored = await PostgresServer.StartOnDirectoryAsync(directory, ProtectedServer.Major);
        await Eventually.TrueAsync(() => restored.ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()"), "the restored server promotes", details: restored.ReadLog);
        await TakeOverAsync(scene, restored, held => past is { } to ? scene.Ledger.Contradiction(held, to.Position) : scene.Ledger.Contradiction(held, least));
        scene.Report.Count(past is null ? "restored servers that took the original's place" : "servers set back to a moment");
        scene.Agent.Start(adopts ? ["--adopt"] : []);
        await FollowedAsync(scene);
    }

    private static async Task TakeOverAsync(Scene scene, PostgresServer successor, Func<HeldLedger, string?>? contradiction = null)
    {
        await scene.Workload.StopAsync();
        await scene.Server.ReplaceAsync(successor);
        var held = await scene.Server.ReadLedgerAsync();
        if (contradiction?.Invoke(held) is { } difference)
        {
            throw new TortureException($"What the repository gave back as a new server is not what it must be: {difference}. It lies in {successor.DataDirectory}.");
        }

        scene.Claims.ForkTo(await scene.Server.TimelineAsync());
        scene.Report.Count("transfers that a fork left behind", scene.Ledger.Fork(held, (await scene.Server.NowAsync()).Position));
        await scene.Workload.StartAsync();
    }

    /// <summary>Until the repository has something of the new timeline it rightly gives back the old one's end.</summary>
    private static async Task FollowedAsync(Scene scene)
    {
        await scene.UntilLevelAsync();
        await scene.Check.LatestAsync();
    }
}
