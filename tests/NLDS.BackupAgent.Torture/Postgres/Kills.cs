using System.Diagnostics;
using Npgsql;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>Ends the agent, the server, or both, in every way, and starts them again.</summary>
internal static class Kills
{
    /// <summary>Milliseconds in which the agent has come to its work, on a machine that has some more to do.</summary>
    private const int StartTime = 1500;

    private static readonly string[][] Verbs = [["backup", "postgres"], ["backup", "postgres"], ["prune", "--allow-large"], ["prune", "--allow-large"], ["verify", "postgres"], ["list"]];

    public static async Task OfAgentAsync(Scene scene)
    {
        await scene.KillAgentAsync();
        await scene.Check.LatestAsync();
        await scene.PauseAsync(0, 1000);
        scene.Agent.Start();
    }

    /// <summary>Each time before it has done much: while it takes over, reads the repository, or begins to stream.</summary>
    public static async Task OfAgentInARowAsync(Scene scene)
    {
        for (var times = scene.Random.Next(4, 12); times > 0; times--)
        {
            await scene.KillAgentAsync();
            scene.Agent.Start();
            await scene.PauseAsync(0, StartTime);
        }

        await OfAgentAsync(scene);
    }

    /// <summary>Each time in its recovery from the time before, or shortly after.</summary>
    public static async Task OfServerInARowAsync(Scene scene)
    {
        await scene.KillServerAsync();
        for (var times = scene.Random.Next(3, 9); times > 0; times--)
        {
            await KillServerInItsStartAsync(scene);
        }

        await scene.Server.StartAgainAsync();
    }

    /// <summary>Now the one, now the other, now both, each in its start or shortly after.</summary>
    public static async Task OfBothInARowAsync(Scene scene)
    {
        await scene.KillServerAsync();
        for (var times = scene.Random.Next(3, 9); times > 0; times--)
        {
            if (scene.OneIn(2))
            {
                await scene.KillAgentAsync();
                scene.Agent.Start();
            }

            await KillServerInItsStartAsync(scene);
        }

        await scene.KillAgentAsync();
        await scene.Check.LatestAsync();
        await scene.Server.StartAgainAsync();
        scene.Agent.Start();
    }

    private static async Task KillServerInItsStartAsync(Scene scene)
    {
        var starting = scene.Server.StartAgainAsync();
        await scene.PauseAsync(0, 600);
        if (scene.Server.KillWhileItStarts())
        {
            scene.Report.Count("kills: server");
        }

        try
        {
            await starting;
        }
        catch (InvalidOperationException)
        {
            // It was killed before it took connections.
        }

        await scene.KillServerAsync();
    }

    /// <summary>Verbs beside the agent are killed anywhere: neither it nor they may be held up by what that leaves behind, nor a backup lost by half a removal.</summary>
    public static async Task OfVerbsAsync(Scene scene)
    {
        for (var times = scene.Random.Next(3, 8); times > 0; times--)
        {
            var verb = Verbs[scene.Random.Next(Verbs.Length)];
            scene.Report.Count("kills: a verb", await scene.Agent.KillAsync(TimeSpan.FromMilliseconds(scene.Random.Next(2 * StartTime)), verb) ? 1 : 0);
        }

        await scene.Check.LatestAsync();
    }

    public static async Task OfServerAsync(Scene scene)
    {
        await scene.KillServerAsync();
        await scene.PauseAsync(0, 500);
        if (scene.OneIn(2))
        {
            await scene.Check.LatestAsync();
        }

        await scene.Server.StartAgainAsync();
    }

    public static async Task OfBothAsync(Scene scene)
    {
        var agentFirst = scene.OneIn(2);
        await (agentFirst ? scene.KillAgentAsync() : scene.KillServerAsync());
        await scene.PauseAsync(0, 300);
        await (agentFirst ? scene.KillServerAsync() : scene.KillAgentAsync());
        await scene.Check.LatestAsync();
        await scene.Server.StartAgainAsync();
        scene.Agent.Start();
    }

    /// <summary>One of the server's processes is killed, and the server begins anew by itself; some times in a row.</summary>
    public static async Task OfServerProcessAsync(Scene scene)
    {
        for (var times = scene.Random.Next(1, 7); times > 0; times--)
        {
            await KillOneOfItsProcessesAsync(scene);
            await scene.PauseAsync(0, 500);
        }
    }

    private static async Task KillOneOfItsProcessesAsync(Scene scene)
    {
        IReadOnlyList<(int Id, string What)> victims = [];
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    victims = await scene.Server.ProcessesAsync();
                    return true;
                }
                catch (NpgsqlException)
                {
                    return false; // it recovers from the time before
                }
            },
            "the server takes connections again");
        var (victim, what) = victims[scene.Random.Next(victims.Count)];
        scene.Say($"  {what}");
        try
        {
            using var process = Process.GetProcessById(victim);
            process.Kill();
        }
        catch (ArgumentException)
        {
            return; // it ended by itself
        }

        scene.Report.Count("kills: one of the server's processes");
    }

    /// <summary>As an administrator stops it. With the agent alive it must not hang.</summary>
    public static async Task StopServerAsync(Scene scene)
    {
        var mode = scene.OneIn(3) ? StopMode.Immediate : StopMode.Fast;
        await scene.Server.StopAsync(mode);
        scene.Report.Count($"server stopped, {mode.ToString().ToLowerInvariant()}");
        if (mode == StopMode.Fast && scene.OneIn(2))
        {
            await scene.KillAgentAsync();
            await scene.Check.LatestAsync();
            scene.Agent.Start();
        }

        await scene.Server.StartAgainAsync();
    }
}
