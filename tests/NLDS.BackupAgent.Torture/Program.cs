using NLDS.BackupAgent.Torture;
using NLDS.BackupAgent.Torture.Redis;

if (args is not ["redis", .. var words])
{
    await Console.Error.WriteLineAsync(TortureOptions.Usage);
    return 2;
}

TortureOptions options;
try
{
    options = TortureOptions.Parse(words);
}
catch (FormatException wrong)
{
    await Console.Error.WriteLineAsync($"{wrong.Message}\n{TortureOptions.Usage}");
    return 2;
}

var report = await RedisTorture.RunAsync(options, Console.WriteLine);
Console.WriteLine(report);
return report.Failure is null ? 0 : 1;
