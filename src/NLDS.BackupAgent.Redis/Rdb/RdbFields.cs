using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>The auxiliary fields of an RDB file, taken down as their bytes pass: names and values are short texts, and a text may be written as a number.</summary>
internal sealed class RdbFields
{
    /// <summary>Auxiliary fields are short; a server that sends a long one sends something that is not kept.</summary>
    private const int LongestText = 1024;

    private const int MostFields = 256;

    private readonly Dictionary<string, string> fields = [];
    private readonly List<byte> bytes = [];
    private string? name;
    private bool isWanted;
    private bool isNumber;

    public IReadOnlyDictionary<string, string> All => fields;

    /// <param name="isField">Whether the text that begins is a field's name or value at all.</param>
    public void Begin(bool isField)
    {
        (isWanted, isNumber) = (isField, false);
        bytes.Clear();
    }

    /// <summary>The text is written as an integer, its lowest byte first.</summary>
    public void ComesAsNumber() => isNumber = true;

    /// <summary>The text is compressed, as no field of any meaning is.</summary>
    public void Drop() => isWanted = false;

    public void Take(ReadOnlySpan<byte> some)
    {
        if (isWanted && bytes.Count + some.Length <= LongestText)
        {
            bytes.AddRange(some);
        }
    }

    public void End(bool isName)
    {
        var text = isNumber ? Number() : Encoding.UTF8.GetString([.. bytes]);
        if (isName)
        {
            name = text;
        }
        else if (name is not null && fields.Count < MostFields)
        {
            fields[name] = text;
        }
    }

    private string Number()
    {
        long number = 0;
        for (var i = bytes.Count - 1; i >= 0; i--)
        {
            number = (number << 8) | bytes[i];
        }

        var bits = 64 - (bytes.Count * 8);
        return (number << bits >> bits).ToString(CultureInfo.InvariantCulture);
    }
}
