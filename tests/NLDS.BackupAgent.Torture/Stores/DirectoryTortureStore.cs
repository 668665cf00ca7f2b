namespace NLDS.BackupAgent.Torture.Stores;

/// <summary>A directory that goes away as an unmounted volume does, on a disk that can be full.</summary>
internal sealed class DirectoryTortureStore(Volume volume) : TortureStore
{
    private string Path => System.IO.Path.Combine(volume.Path, "store");

    private string Aside => Path + ".aside";

    public override IReadOnlyDictionary<string, string> Settings =>
        new Dictionary<string, string> { ["Storage__Provider"] = "Directory", ["Storage__Directory__Path"] = Path };

    public override bool CanBeFull => volume.CanBeFull;

    public override Task LeaveAsync(Random random)
    {
        Directory.Move(Path, Aside);
        return Task.CompletedTask;
    }

    public override Task ReturnAsync()
    {
        if (Directory.Exists(Path))
        {
            throw new TortureException($"While {Path} was away somebody made another one.");
        }

        Directory.Move(Aside, Path);
        return Task.CompletedTask;
    }

    public override Task FillAsync(Random random) => volume.FillAsync(random.Next(500_000));

    public override Task FreeAsync() => volume.FreeAsync();

    public override Task<StoreContent> CountAsync()
    {
        var unfinished = Directory.EnumerateFiles(System.IO.Path.Combine(Path, ".incoming")).ToHashSet(StringComparer.Ordinal);
        var all = Directory.EnumerateFiles(Path, "*", SearchOption.AllDirectories).Where(file => !unfinished.Contains(file)).ToList();
        return Task.FromResult(StoreContent.Of(all, unfinished.Count));
    }

    public override ValueTask DisposeAsync() => volume.DisposeAsync();
}
