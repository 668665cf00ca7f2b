using System.Globalization;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Repository.Tests.Log;

/// <summary>Segments of a fixed size, named by lineage and number.</summary>
internal sealed class FixedNaming(int segmentBytes = 1 << 20) : ILogNaming
{
    public int SegmentBytes => segmentBytes;

    public LogRange SegmentAt(ulong position)
    {
        var start = position - (position % (ulong)segmentBytes);
        return new LogRange(start, start + (ulong)segmentBytes);
    }

    public string Name(string lineage, LogRange segment) => $"{lineage}_{segment.Start / (ulong)segmentBytes:X8}";

    public bool TryParse(string name, out string lineage, out LogRange segment)
    {
        (lineage, segment) = ("", default);
        var parts = name.Split('_');
        if (parts.Length != 2 || parts[1].Length != 8 || !ulong.TryParse(parts[1], NumberStyles.AllowHexSpecifier, null, out var number))
        {
            return false;
        }

        (lineage, segment) = (parts[0], SegmentAt(number * (ulong)segmentBytes));
        return true;
    }

    public bool IsLineage(string text) => text.Length > 0 && text.All(char.IsAsciiLetterOrDigit);

    public string Format(ulong position) => position.ToString(CultureInfo.InvariantCulture);
}
