using System.Text.Json;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Output;

public sealed class LineLoggerTests
{
    [Fact]
    public void An_event_is_one_line_even_with_an_exception()
    {
        var line = Log(LogFormat.Text);

        line.ShouldStartWith("2026-07-26T02:00:00.000Z error TailSupervisor: It broke. System.InvalidOperationException: first | second");
        line.TrimEnd().ShouldNotContain("\n");
    }

    [Fact]
    public void As_JSON_it_is_one_object()
    {
        var entry = JsonDocument.Parse(Log(LogFormat.Json)).RootElement;
        entry.GetProperty("level").GetString().ShouldBe("error");
        entry.GetProperty("category").GetString().ShouldBe("NLDS.BackupAgent.TailSupervisor");
        entry.GetProperty("message").GetString().ShouldBe("It broke.");
    }

    private static string Log(LogFormat format)
    {
        using var output = new StringWriter();
        using var provider = new LineLoggerProvider(output, format, new ManualTime(FakeSource.Day));
        provider.CreateLogger("NLDS.BackupAgent.TailSupervisor")
            .Log(LogLevel.Error, 0, "It broke.", new InvalidOperationException("first\nsecond"), (state, _) => state);
        return output.ToString();
    }
}
