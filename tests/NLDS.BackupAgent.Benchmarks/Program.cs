using NLDS.BackupAgent.Benchmarks;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using NLDS.BackupAgent.Testing.Kubernetes;

if (args is ["cluster", var kubeconfig])
{
    // For scripts/benchmark: a cluster to back up, until this process is ended.
    await using var cluster = await ApiServerDouble.StartAsync();
    cluster.LoadRecordedNamespace();
    cluster.WriteKubeconfig(kubeconfig);
    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System);
}

// In this process: what is measured is internal to assemblies that name only this one.
var config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
BenchmarkSwitcher.FromAssembly(typeof(WalBenchmarks).Assembly).Run(args, config);
