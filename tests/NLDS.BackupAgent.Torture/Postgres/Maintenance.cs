namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>Verbs that run while trouble is made. They may fail, and must neither find damage nor do any.</summary>
internal static class Maintenance
{
    private static readonly string[][] Verbs = [["backup", "postgres"], ["prune", "--allow-large"], ["verify", "postgres"], ["verify", "--new"], ["list"]];

    /// <summary>Begins one, or none.</summary>
    public static Task Begin(Scene scene) => scene.OneIn(2) ? RunAsync(scene, Verbs[scene.Random.Next(Verbs.Length)]) : Task.CompletedTask;

    private static async Task RunAsync(Scene scene, string[] verb)
    {
        var (code, output, error) = await scene.Agent.TryAsync(verb);
        scene.Report.Count($"in the midst of it: {verb[0]}{(code == 0 ? "" : ", interrupted")}");
        if (code is not (0 or 1))
        {
            throw new TortureException($"'{string.Join(' ', verb)}' ended with {code} while trouble was made: {error}{output}");
        }
    }
}
