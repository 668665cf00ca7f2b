using System.Buffers;
using System.Text;
using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.ApplicationData.Tables;

namespace NLDS.BackupAgent.ApplicationData.Tests.Archive;

/// <summary>What fuzzing found in documents and rows, each by the smallest words that did it.</summary>
public sealed class HostileDocumentTests
{
    /// <summary>Each level was a call within the last one's, up to the end of the process.</summary>
    [Fact]
    public void A_list_deeper_than_an_array_can_be_is_refused()
    {
        var lists = $"{new string('[', 50_000)}{new string(']', 50_000)}";

        Refuses(() => new TableDocument(Set(ValueShape.TextArray)).Write(Encoding.UTF8.GetBytes($$"""{"row_count": 1, "rows": [{"c": {{lists}}}]}"""), new ArrayBufferWriter<byte>()));
    }

    [Theory]
    [InlineData(nameof(ValueShape.TextArray), "{\"a")]
    [InlineData(nameof(ValueShape.TextArray), "{\"a\\")]
    [InlineData(nameof(ValueShape.TextArray), "{a")]
    [InlineData(nameof(ValueShape.Boolean), "")]
    [InlineData(nameof(ValueShape.Boolean), "yes")]
    [InlineData(nameof(ValueShape.Text), "a\\")]
    public void A_value_that_ends_in_the_middle_is_refused(string shape, string value) => Refuses(() => Write(Enum.Parse<ValueShape>(shape), value));

    [Theory]
    [InlineData("2026-11-23 02", "\"2026-11-23 02\"")]
    [InlineData("2026-11-23 02:00:00.1234567", "\"2026-11-23T02:00:00.1234567\"")]
    [InlineData("a\" b\"cccccccc", "\"a\\\" b\\\"cccccccc\"")]
    public void What_is_no_time_stays_a_text(string value, string document) => Write(ValueShape.Timestamp, value).ShouldBe($"{{\"c\": {document}}}");

    private static string Write(ValueShape shape, string value)
    {
        var target = new ArrayBufferWriter<byte>();
        new CopyRow(Set(shape).Columns).Write(Encoding.UTF8.GetBytes(value), target);
        return Encoding.UTF8.GetString(target.WrittenSpan);
    }

    private static void Refuses(Action read)
    {
        // On a small stack, because a machine with a larger one hides what a smaller one ends of.
        Exception? thrown = null;
        var thread = new Thread(() => thrown = Record.Exception(read), maxStackSize: 512 << 10);
        thread.Start();
        thread.Join();
        thrown.ShouldBeOfType<InvalidDataException>();
    }

    private static ArchivedSet Set(ValueShape shape) => new()
    {
        Name = "t", Count = 1, Table = "t", RowsName = "rows", CountName = "row_count", Files = [], Columns = [new ArchivedColumn("c", "any", shape)],
    };
}
