using System.Globalization;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Tests.Fakes;

/// <summary>An archive of small segments on one timeline, named by their numbers. It delivers when the test lets it.</summary>
internal sealed class FakeWal : IWalFetcher
{
    private readonly Lock gate = new();
    private readonly List<string> fetched = [];
    private int underway;

    public int SegmentBytes { get; init; } = 16 << 20;

    /// <summary>The number of the first segment that the archive does not hold.</summary>
    public int End { get; set; }

    public Func<string, Task> BeforeFetch { get; set; } = _ => Task.CompletedTask;

    public int MostAtOnce { get; private set; }

    /// <summary>In the order in which they began.</summary>
    public IReadOnlyList<string> Fetched
    {
        get
        {
            lock (gate)
            {
                return [.. fetched];
            }
        }
    }

    public static string Name(int number, int timeline = 1) => string.Create(CultureInfo.InvariantCulture, $"{timeline:X8}{0:X8}{number:X8}");

    /// <summary>What <see cref="FetchAsync"/> gives for a file; null for absent. By default segments that are whole.</summary>
    public Func<string, string?>? Content { get; set; }

    public async Task<bool> FetchAsync(string file, string path, string serverPath, CancellationToken cancellationToken)
    {
        if (Content is null)
        {
            return await FetchWholeAsync(file, path, cancellationToken);
        }

        if (Content(file) is not { } content)
        {
            return false;
        }

        await File.WriteAllTextAsync(path, content, cancellationToken);
        return true;
    }

    public Task<IReadOnlyList<string>> FollowingAsync(string file, long bytes, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>>(
        file.Length != 24 ? [] : [.. Enumerable.Range(1, Math.Max(2, (int)(bytes / SegmentBytes))).Select(ahead => file[..16] + (Number(file) + ahead).ToString("X8", CultureInfo.InvariantCulture))]);

    public async Task<bool> FetchWholeAsync(string segment, string path, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            fetched.Add(segment);
            MostAtOnce = Math.Max(MostAtOnce, ++underway);
        }

        try
        {
            if (Number(segment) >= End)
            {
                return false;
            }

            await BeforeFetch(segment).WaitAsync(cancellationToken);
            await File.WriteAllTextAsync(path + ".nlds-tmp", segment, cancellationToken);
            File.Move(path + ".nlds-tmp", path, overwrite: true);
            return true;
        }
        finally
        {
            lock (gate)
            {
                underway--;
            }
        }
    }

    private static int Number(string segment) => int.Parse(segment.AsSpan(16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
