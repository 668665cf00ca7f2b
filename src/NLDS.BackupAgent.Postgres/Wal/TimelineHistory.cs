using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>
/// A timeline and the ancestors that it grew out of, oldest first, as a <c>.history</c> file tells it: lines of
/// <c>timeline TAB switch point TAB reason</c>, comments behind <c>#</c>, empty lines. Timeline 1 has no file and no ancestors.
/// </summary>
internal sealed class TimelineHistory
{
    private const string Suffix = ".history";

    private TimelineHistory(uint timeline, IReadOnlyList<TimelineSwitch> ancestors)
    {
        Timeline = timeline;
        Ancestors = ancestors;
    }

    public uint Timeline { get; }

    public IReadOnlyList<TimelineSwitch> Ancestors { get; }

    /// <summary>Where this timeline began; 0/0 for one without ancestors.</summary>
    public Lsn Start => Ancestors is [.., var parent] ? parent.SwitchPoint : Lsn.Invalid;

    /// <summary>The history of a timeline that grew out of nothing, as the first one does.</summary>
    public static TimelineHistory WithoutAncestors(uint timeline) => new(timeline, []);

    /// <summary>Reads a history file as the server does, and refuses what the server refuses.</summary>
    /// <exception cref="FormatException">A line is damaged or out of order.</exception>
    public static TimelineHistory Parse(uint timeline, string content)
    {
        ArgumentOutOfRangeException.ThrowIfZero(timeline);
        var ancestors = new List<TimelineSwitch>();
        foreach (var line in content.AsSpan().EnumerateLines())
        {
            var text = line.Trim();
            if (text.IsEmpty || text[0] == '#')
            {
                continue;
            }

            var ancestor = ParseLine(timeline, text);
            if (ancestors is [.., var before] && (ancestor.Timeline <= before.Timeline || ancestor.SwitchPoint < before.SwitchPoint))
            {
                throw Damaged(timeline, text, "timelines and switch points must rise from line to line");
            }

            if (ancestor.Timeline >= timeline)
            {
                throw Damaged(timeline, text, "an ancestor's number must be below its child's");
            }

            ancestors.Add(ancestor);
        }

        return new TimelineHistory(timeline, ancestors);
    }

    /// <summary>
    /// The parent's own file, which a file begins with: the server copies it, writes an empty line in case that it lacked its last newline, and then a line for the parent
    /// (timeline.c, writeTimeLineHistory). Null where the parent is a timeline without a file.
    /// </summary>
    /// <exception cref="FormatException">The file is damaged.</exception>
    public static (uint Timeline, byte[] Content)? ParentOf(uint timeline, ReadOnlySpan<byte> content)
    {
        if (Parse(timeline, Encoding.UTF8.GetString(content)).Ancestors is not [.., _, var parent])
        {
            return null;
        }

        var lastLine = content.TrimEnd("\n"u8).LastIndexOf((byte)'\n') + 1;
        return (parent.Timeline, content[..(lastLine - 1)].ToArray());
    }

    public static string FileName(uint timeline) => timeline.ToString("X8", CultureInfo.InvariantCulture) + Suffix;

    public static bool TryParseFileName(ReadOnlySpan<char> name, out uint timeline)
    {
        timeline = 0;
        return name.Length == 8 + Suffix.Length
            && name.EndsWith(Suffix, StringComparison.Ordinal)
            && !name[..8].ContainsAnyExcept(WalSegment.Capitals)
            && uint.TryParse(name[..8], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out timeline)
            && timeline != 0;
    }

    /// <summary>The timeline that the byte at a position belongs to. A switch point is the first byte of the child.</summary>
    public uint TimelineOwning(Lsn lsn) => Ancestors.FirstOrDefault(ancestor => lsn < ancestor.SwitchPoint)?.Timeline ?? Timeline;

    /// <summary>Where a timeline of this history ended, or null for the newest one and for strangers.</summary>
    public Lsn? SwitchPointOf(uint timeline) => Ancestors.FirstOrDefault(ancestor => ancestor.Timeline == timeline)?.SwitchPoint;

    public bool Contains(uint timeline) => timeline == Timeline || Ancestors.Any(ancestor => ancestor.Timeline == timeline);

    private static TimelineSwitch ParseLine(uint child, ReadOnlySpan<char> line)
    {
        // The server scans "%u\t%X/%X", in which a tab stands for any white space; whatever follows is the reason.
        var (number, rest) = SplitWord(line);
        var (position, reason) = SplitWord(rest);
        if (!uint.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var timeline) || timeline == 0)
        {
            throw Damaged(child, line, "expected a timeline number first");
        }

        return Lsn.TryParse(position, out var switchPoint)
            ? new TimelineSwitch(timeline, switchPoint, reason.ToString())
            : throw Damaged(child, line, "expected a switch point such as 0/3000060 second");
    }

    private static SplitLine SplitWord(ReadOnlySpan<char> text)
    {
        var end = text.IndexOfAny(' ', '\t');
        return end < 0 ? new SplitLine(text, default) : new SplitLine(text[..end], text[end..].TrimStart());
    }

    private static FormatException Damaged(uint timeline, ReadOnlySpan<char> line, string why) =>
        new($"{FileName(timeline)} is damaged at the line '{line}': {why}. Fetch the file from the server again.");

    private readonly ref struct SplitLine(ReadOnlySpan<char> word, ReadOnlySpan<char> rest)
    {
        private readonly ReadOnlySpan<char> word = word;
        private readonly ReadOnlySpan<char> rest = rest;

        public void Deconstruct(out ReadOnlySpan<char> first, out ReadOnlySpan<char> remainder)
        {
            first = word;
            remainder = rest;
        }
    }
}
