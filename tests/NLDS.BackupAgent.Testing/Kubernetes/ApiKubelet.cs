using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>What the pods of a workload really do, on this machine.</summary>
public interface IPodRunner
{
    /// <summary>The init containers. A failure is a container that ends with 1 and is started again.</summary>
    Task InitAsync(CancellationToken cancellationToken);

    /// <summary>The other containers; returns when they are ready.</summary>
    Task StartAsync(CancellationToken cancellationToken);

    /// <summary>Ends them, in whatever state they are.</summary>
    Task StopAsync();
}

/// <summary>Runs the pods of the stateful sets that have a runner, and says of them what a kubelet says.</summary>
internal sealed class ApiKubelet(ApiObjects objects, Action<JsonObject> removed, Action<JsonObject> changed) : IAsyncDisposable
{
    private static readonly TimeSpan BackOff = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<string, IPodRunner> runners = new();
    private readonly ConcurrentDictionary<string, Life> lives = new();

    /// <param name="workload">Its namespace and name: <c>nlds/postgres</c>.</param>
    public void Run(string workload, IPodRunner runner) => runners[workload] = runner;

    public bool Runs(JsonObject pod) => RunnerOf(pod) is not null;

    /// <summary>Called under the gate with every change.</summary>
    public void Hear(ApiChange change)
    {
        if (change.Storage != "pods")
        {
            return;
        }

        var uid = Uid(change.After!);
        if (change.Type == "ADDED" && RunnerOf(change.After!) is { } runner)
        {
            var stop = new CancellationTokenSource();
            var pod = change.After!.DeepClone().AsObject();
            lives[uid] = new Life(Task.Run(() => LiveAsync(pod, runner, stop.Token)), stop);
        }
        else if ((change.Type == "DELETED" || change.After!["metadata"]!["deletionTimestamp"] is not null) && lives.TryRemove(uid, out var life))
        {
            life.Stop.Cancel();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var life in lives.Values)
        {
            await life.Stop.CancelAsync();
        }

        await Task.WhenAll(lives.Values.Select(life => life.Work));
    }

    private async Task LiveAsync(JsonObject pod, IPodRunner runner, CancellationToken stopping)
    {
        try
        {
            var restarts = 0;
            while (true)
            {
                Say(pod, "Pending", isReady: false, [Container("restore", new JsonObject { ["running"] = new JsonObject() }, restarts)], []);
                try
                {
                    await runner.InitAsync(stopping);
                    break;
                }
                catch (Exception failure) when (!stopping.IsCancellationRequested)
                {
                    var last = new JsonObject { ["terminated"] = new JsonObject { ["exitCode"] = 1, ["reason"] = "Error", ["message"] = failure.Message } };
                    Say(pod, "Pending", isReady: false, [Container("restore", new JsonObject { ["waiting"] = new JsonObject { ["reason"] = "CrashLoopBackOff" } }, ++restarts, last)], []);
                    await Task.Delay(BackOff, TimeProvider.System, stopping);
                }
            }

            JsonArray Done() => [Container("restore", new JsonObject { ["terminated"] = new JsonObject { ["exitCode"] = 0, ["reason"] = "Completed" } }, restarts, isReady: true)];
            Say(pod, "Running", isReady: false, Done(), [Container("server", new JsonObject { ["running"] = new JsonObject() }, 0)]);
            await runner.StartAsync(stopping);
            Say(pod, "Running", isReady: true, Done(), [Container("server", new JsonObject { ["running"] = new JsonObject() }, 0, isReady: true)]);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopping);
        }
        catch (Exception) when (stopping.IsCancellationRequested)
        {
            // It was told to go.
        }
        catch (Exception failure)
        {
            Say(pod, "Failed", isReady: false, [], [Container("server", new JsonObject { ["terminated"] = new JsonObject { ["exitCode"] = 1, ["reason"] = "Error", ["message"] = failure.ToString() } }, 0)]);
        }
        finally
        {
            await runner.StopAsync();
            lock (objects.Gate)
            {
                if (Find(pod) is { } live)
                {
                    if (live["metadata"]!["deletionTimestamp"] is not null)
                    {
                        objects.Delete("pods", live);
                    }
                }

                removed(pod);
            }
        }
    }

    private void Say(JsonObject pod, string phase, bool isReady, JsonArray init, JsonArray containers)
    {
        lock (objects.Gate)
        {
            if (Find(pod) is not { } live)
            {
                return;
            }

            var next = live.DeepClone().AsObject();
            next["status"] = new JsonObject
            {
                ["phase"] = phase,
                ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = isReady ? "True" : "False" }),
                ["initContainerStatuses"] = init,
                ["containerStatuses"] = containers,
            };
            objects.Put("pods", next);
            changed(next);
        }
    }

    private JsonObject? Find(JsonObject pod) =>
        objects.Get("pods", pod["metadata"]!["namespace"]!.GetValue<string>(), pod["metadata"]!["name"]!.GetValue<string>()) is { } live && Uid(live) == Uid(pod) ? live : null;

    private IPodRunner? RunnerOf(JsonObject pod) => pod["metadata"]!["ownerReferences"]?.AsArray()
        .Where(owner => owner!["kind"]!.GetValue<string>() == "StatefulSet")
        .Select(owner => runners.GetValueOrDefault($"{pod["metadata"]!["namespace"]}/{owner!["name"]}"))
        .FirstOrDefault();

    private static JsonObject Container(string name, JsonObject state, int restarts, JsonObject? last = null, bool isReady = false) => new()
    {
        ["name"] = name, ["ready"] = isReady, ["restartCount"] = restarts, ["state"] = state, ["lastState"] = last ?? [],
    };

    private static string Uid(JsonObject value) => value["metadata"]!["uid"]!.GetValue<string>();

    private sealed record Life(Task Work, CancellationTokenSource Stop);
}
