namespace NLDS.BackupAgent.Torture.Stores;

/// <summary>How much there is in a store: what grows without end would fill it.</summary>
/// <param name="Objects">All of them.</param>
/// <param name="Chunks">The pieces of open segments, of all logs: each is removed when its segment is whole.</param>
/// <param name="Unfinished">What was begun to be stored and never ended.</param>
internal readonly record struct StoreContent(int Objects, int Chunks, int Unfinished)
{
    private const string Tail = "/tail/";

    public static StoreContent Of(IReadOnlyCollection<string> keys, int unfinished) =>
        new(keys.Count, keys.Count(key => key.Contains(Tail, StringComparison.Ordinal) && !key.EndsWith(".json", StringComparison.Ordinal)), unfinished);

    /// <summary>Says what there is now and what there was at the begin.</summary>
    public void Report(TortureReport report, StoreContent begin)
    {
        report.FromTo("objects in the store", begin.Objects, Objects);
        report.FromTo("chunks in the store", begin.Chunks, Chunks);
        report.FromTo("unfinished uploads in the store", begin.Unfinished, Unfinished);
    }
}
