using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>The store or the network is away for a while, and comes back.</summary>
internal static class Outages
{
    /// <summary>The server must stop all the same when it is told to.</summary>
    public static async Task OfStoreAsync(Scene scene)
    {
        await scene.Store.LeaveAsync(scene.Random);
        scene.Report.Count("stores that went away");
        await scene.PauseAsync(0, 3000);
        switch (scene.Random.Next(4))
        {
            case 0:
                await scene.KillServerAsync();
                await scene.Server.StartAgainAsync();
                break;
            case 1:
                await scene.Server.StopAsync(StopMode.Fast);
                await scene.Server.StartAgainAsync();
                break;
            case 2:
                // Longer than a lease without word from the store.
                await scene.PauseAsync(20_000, 25_000);
                break;
        }

        await scene.PauseAsync(0, 3000);
        await scene.Store.ReturnAsync();
    }

    public static async Task OfStoresDiskAsync(Scene scene)
    {
        await scene.Store.FillAsync(scene.Random);
        scene.Report.Count("stores that were full");
        await scene.PauseAsync(500, 5000);
        if (scene.OneIn(2))
        {
            await scene.KillAgentAsync();
            scene.Agent.Start();
            await scene.PauseAsync(0, 3000);
        }

        await scene.Store.FreeAsync();
    }

    /// <summary>The server ends itself when it cannot write its log, and is started again when there is room.</summary>
    public static async Task OfServersDiskAsync(Scene scene)
    {
        await scene.Disk.FillAsync(scene.Random.Next(3_000_000));
        scene.Report.Count("servers' disks that were full");
        await scene.PauseAsync(500, 5000);
        if (scene.OneIn(3))
        {
            await scene.KillAgentAsync();
            scene.Agent.Start();
        }

        await scene.Disk.FreeAsync();
        await scene.KillServerAsync();
        await scene.Server.StartAgainAsync();
    }

    public static async Task OfNetworkAsync(Scene scene)
    {
        var proxy = scene.Server.Proxy;
        switch (scene.Random.Next(5))
        {
            case 0:
                for (var cuts = scene.Random.Next(1, 8); cuts > 0; cuts--)
                {
                    proxy.Cut();
                    await scene.PauseAsync(0, 700);
                }

                break;
            case 1:
                proxy.ToClient.CutAfter(scene.Random.Next(1, 200_000));
                break;
            case 2:
                await proxy.RefuseAsync();
                proxy.Cut();
                await scene.PauseAsync(0, 5000);
                proxy.Welcome();
                break;
            case 3:
                proxy.ToClient.Stall();
                await scene.PauseAsync(0, 5000);
                proxy.ToClient.Resume();
                break;
            default:
                proxy.ToServer.Stall();
                await scene.PauseAsync(0, 5000);
                proxy.Cut();
                proxy.ToServer.Resume();
                break;
        }

        scene.Report.Count("network faults");
    }
}
