using System.Diagnostics;
using NLDS.BackupAgent.Output;
using OpenTelemetry;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>Lets no secret out with a span: only the words of a failure can hold one.</summary>
internal sealed class ScrubbedSpans(SecretScrubber scrubber) : BaseProcessor<Activity>
{
    public override void OnEnd(Activity data)
    {
        if (data.StatusDescription is { } words)
        {
            data.SetStatus(data.Status, scrubber.Scrub(words));
        }
    }
}
