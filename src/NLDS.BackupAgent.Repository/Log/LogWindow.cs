namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// A stretch of log that arrived within one second of the agent's clock. A source whose log has no times of its own notes them, so that a restore can
/// stop at a moment; a window reaches up to the next one.
/// </summary>
/// <param name="Start">Its first position.</param>
/// <param name="First">When its first byte arrived, to the millisecond.</param>
/// <param name="Last">When its last byte arrived.</param>
public readonly record struct LogWindow(ulong Start, DateTimeOffset First, DateTimeOffset Last)
{
    private static readonly long Earliest = DateTimeOffset.MinValue.ToUnixTimeMilliseconds();

    private static readonly long Latest = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    /// <summary>
    /// Windows as a seal has them, three numbers for each: how far its start lies behind the one before (the piece's start), its first arrival in milliseconds
    /// after the one before (1970), and how many milliseconds it lasted.
    /// </summary>
    public static IReadOnlyList<long>? Encode(IReadOnlyList<LogWindow>? windows, ulong pieceStart)
    {
        if (windows is null)
        {
            return null;
        }

        var numbers = new List<long>(windows.Count * 3);
        var (position, moment) = (pieceStart, 0L);
        foreach (var window in windows)
        {
            var first = window.First.ToUnixTimeMilliseconds();
            numbers.AddRange([(long)(window.Start - position), first - moment, window.Last.ToUnixTimeMilliseconds() - first]);
            (position, moment) = (window.Start, first);
        }

        return numbers;
    }

    /// <exception cref="FormatException">These are no windows.</exception>
    public static IReadOnlyList<LogWindow> Decode(IReadOnlyList<long>? numbers, ulong pieceStart)
    {
        if (numbers is null)
        {
            return [];
        }

        if (numbers.Count % 3 != 0)
        {
            throw new FormatException($"A seal has {numbers.Count} numbers for its arrivals, which is no multiple of three.");
        }

        var windows = new List<LogWindow>(numbers.Count / 3);
        var (position, moment) = (pieceStart, 0L);
        for (var i = 0; i < numbers.Count; i += 3)
        {
            (position, moment) = (position + (ulong)numbers[i], moment + numbers[i + 1]);
            windows.Add(new LogWindow(position, At(moment), At(moment + numbers[i + 2])));
        }

        return windows;
    }

    private static DateTimeOffset At(long moment) => moment >= Earliest && moment <= Latest
        ? DateTimeOffset.FromUnixTimeMilliseconds(moment)
        : throw new FormatException($"A seal has an arrival at {moment} ms, which is in no calendar.");
}
