using NLDS.BackupAgent.Torture;
using NLDS.BackupAgent.Torture.Postgres;
using NLDS.BackupAgent.Torture.Redis;

TortureOptions options;
try
{
    options = TortureOptions.Parse(args);
}
catch (FormatException wrong)
{
    await Console.Error.WriteLineAsync($"{wrong.Message}\n{TortureOptions.Usage}");
    return 2;
}

var report = await (options.Of == "postgres" ? PostgresTorture.RunAsync(options, Console.WriteLine) : RedisTorture.RunAsync(options, Console.WriteLine));
Console.WriteLine(report);
return report.Failure is null ? 0 : 1;
