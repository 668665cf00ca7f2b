using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Postgres.Tests.Sweeps;

/// <summary>What a recovering server asks for: a whole segment, the open one, a history that is not there, and the segment behind the end.</summary>
internal sealed class FetchOperation(RecordedArchive archive) : SweptOperation, IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private Dictionary<string, byte[]>? model;
    private List<string> present = [];
    private string behind = "";

    public override async Task<MemoryObjectStore> PrepareAsync()
    {
        await using var agent = Agent.For(null, archive.Store);
        var plan = await agent.PlanAsync("/nowhere/yet");
        present = [plan.WalFiles[0].Segment.Name, plan.WalFiles[^1].Segment.Name];
        behind = plan.WalFiles[^1].Segment.Next.Name;
        return await archive.Store.CopyAsync();
    }

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        await using var agent = Agent.For(null, store);
        foreach (var file in Directory.EnumerateFiles(directory.Path))
        {
            File.Delete(file);
        }

        foreach (var name in present)
        {
            (await agent.Fetcher.FetchAsync(name, directory[name], cancellationToken)).ShouldBeTrue("a segment that is there was said to be absent, and the server would promote");
        }

        foreach (var name in (string[])["00000002.history", behind])
        {
            (await agent.Fetcher.FetchAsync(name, directory[name], cancellationToken)).ShouldBeFalse();
        }
    }

    public override Task RequireUnbrokenAsync(IObjectStore store)
    {
        foreach (var file in Directory.EnumerateFiles(directory.Path))
        {
            Path.GetFileName(file).ShouldBeOneOf([.. present]);
            if (model is not null)
            {
                File.ReadAllBytes(file).ShouldBe(model[Path.GetFileName(file)]);
            }
        }

        return Task.CompletedTask;
    }

    public override Task RequireDoneAsync(IObjectStore store)
    {
        model ??= present.ToDictionary(name => name, name => File.ReadAllBytes(directory[name]));
        Directory.EnumerateFiles(directory.Path).Count().ShouldBe(2);
        return RequireUnbrokenAsync(store);
    }

    public void Dispose() => directory.Dispose();
}
