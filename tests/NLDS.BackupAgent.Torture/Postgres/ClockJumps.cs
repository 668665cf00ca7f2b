namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>The clock of the agent's machine jumps to and fro, while it works and while it is away.</summary>
internal static class ClockJumps
{
    /// <summary>Nothing that is claimed may depend on what time the agent thinks it is. Backups of that time have times that say nothing of the moments that they reach.</summary>
    public static async Task OfAsync(Scene scene)
    {
        if (!scene.Clock.CanJump)
        {
            scene.Report.Count("NOT DONE: clock jumps, which need libfaketime");
            return;
        }

        for (var jumps = scene.Random.Next(1, 4); jumps > 0; jumps--)
        {
            scene.Clock.Set(TimeSpan.FromSeconds(Math.Exp(scene.Random.NextDouble() * Math.Log(MostSeconds)) * (scene.OneIn(2) ? 1 : -1)));
            scene.Report.Count("jumps of the agent's clock");
            await scene.PauseAsync(0, 8000);
            if (scene.OneIn(3))
            {
                await scene.KillAgentAsync();
                scene.Agent.Start();
            }
        }

        await scene.Check.LatestAsync();
        scene.Clock.Set(TimeSpan.Zero);
        await scene.UntilLevelAsync();
        scene.Ledger.Forget(_ => true);
    }

    /// <summary>Four hours.</summary>
    private const double MostSeconds = 14_400;
}
