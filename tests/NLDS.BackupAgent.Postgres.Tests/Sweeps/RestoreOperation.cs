using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Postgres.Tests.Sweeps;

/// <summary>A restore that takes the original's place, again and again into one directory until it succeeds.</summary>
internal sealed class RestoreOperation(MemoryObjectStore archive) : SweptOperation, IDisposable
{
    /// <summary>What names the restore itself.</summary>
    private const string OfThisRestore = "postgresql.auto.conf";

    private readonly TemporaryDirectory targets = new();
    private Dictionary<string, string>? model;
    private string target = "";
    private int count;

    public override Task<MemoryObjectStore> PrepareAsync()
    {
        Begin();
        return archive.CopyAsync();
    }

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        await using var agent = Agent.For(null, store);
        if (File.Exists(Path.Combine(target, Unpacker.ControlFile)))
        {
            Begin();
        }

        var plan = await agent.Source.PlanRestoreAsync(new RestoreRequest { TargetDirectory = target, TakesPlace = true }, cancellationToken);
        await agent.Source.RestoreAsync(plan, new Progress<TransferProgress>(), cancellationToken);
    }

    public override Task RequireUnbrokenAsync(IObjectStore store)
    {
        if (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
        {
            File.Exists(Path.Combine(target, Unpacker.ControlFile)).ShouldBe(!TargetDirectory.IsUnfinishedRestore(target), "a target that starts is whole, and every other one says so");
        }

        return Task.CompletedTask;
    }

    public override Task RequireDoneAsync(IObjectStore store)
    {
        var restored = Directory.EnumerateFiles(target, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetFileName(file) != OfThisRestore)
            .ToDictionary(file => Path.GetRelativePath(target, file), file => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file))));
        model ??= restored;
        restored.ShouldBe(model, ignoreOrder: true);
        return Task.CompletedTask;
    }

    public void Dispose() => targets.Dispose();

    private void Begin()
    {
        if (target.Length > 0 && Directory.Exists(target))
        {
            Directory.Delete(target, recursive: true);
        }

        target = targets[$"{++count}"];
    }
}
