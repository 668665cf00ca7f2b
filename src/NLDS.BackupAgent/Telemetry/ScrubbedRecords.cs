using NLDS.BackupAgent.Output;
using OpenTelemetry;
using OpenTelemetry.Logs;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>Lets no secret out by OTLP: what the console's writer does for lines, this does for records.</summary>
internal sealed class ScrubbedRecords(SecretScrubber scrubber) : BaseProcessor<LogRecord>
{
    public override void OnEnd(LogRecord data)
    {
        data.FormattedMessage = data.FormattedMessage is { } message ? scrubber.Scrub(message) : null;
        data.Body = data.Body is { } body ? scrubber.Scrub(body) : null;
        var attributes = (data.Attributes ?? []).Select(pair => KeyValuePair.Create(pair.Key, pair.Value is null ? null : (object?)scrubber.Scrub($"{pair.Value}"))).ToList();
        if (data.Exception is { } exception)
        {
            // An exception's own words cannot be changed, so it goes as text.
            attributes.Add(KeyValuePair.Create("exception.stacktrace", (object?)scrubber.Scrub(exception.ToString())));
            data.Exception = null;
        }

        data.Attributes = attributes;
    }
}
