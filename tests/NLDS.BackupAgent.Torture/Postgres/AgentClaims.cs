using System.Globalization;
using System.Text.Json;
using NpgsqlTypes;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>Asks the agent again and again for its status, and holds it to what it says.</summary>
/// <param name="address">Where it serves its status.</param>
internal sealed class AgentClaims(Uri address, Ledger ledger) : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly HttpClient client = new() { Timeout = TimeSpan.FromSeconds(10) };
    private readonly Lock gate = new();
    private string timeline = "00000001";
    private NpgsqlLogSequenceNumber position;

    /// <summary>What the agent answered last; null while it does not.</summary>
    public string? LastAnswer { get; private set; }

    /// <summary>All before it is durable and can be restored, the agent has said.</summary>
    public NpgsqlLogSequenceNumber Position
    {
        get
        {
            lock (gate)
            {
                return position;
            }
        }
    }

    /// <summary>The cluster goes on, on this timeline: what the agent says of another one is no claim any more.</summary>
    public void ForkTo(string newTimeline)
    {
        lock (gate)
        {
            (timeline, position) = (newTimeline, default);
        }
    }

    /// <summary>The repository lost something: what was claimed is taken back.</summary>
    public void Forget()
    {
        lock (gate)
        {
            position = default;
        }
    }

    public async Task ListenAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            await AskAsync();
            await Task.Delay(Interval, TimeProvider.System, CancellationToken.None);
        }
    }

    public void Dispose() => client.Dispose();

    private async Task AskAsync()
    {
        try
        {
            LastAnswer = await client.GetStringAsync(address);
        }
        catch (Exception silent) when (silent is HttpRequestException or TaskCanceledException)
        {
            LastAnswer = null;
            return;
        }

        using var answer = JsonDocument.Parse(LastAnswer);
        var source = answer.RootElement.GetProperty("sources").EnumerateArray().FirstOrDefault(one => one.GetProperty("name").GetString() == "postgres");
        if (source.ValueKind == JsonValueKind.Object && source.GetProperty("log") is { ValueKind: JsonValueKind.Object } log
            && log.GetProperty("recoverableUntil") is { ValueKind: JsonValueKind.String } until && log.GetProperty("durablePosition") is { ValueKind: JsonValueKind.Number } durable)
        {
            Take(log.GetProperty("lineage").GetString(), new NpgsqlLogSequenceNumber(durable.GetUInt64()), DateTimeOffset.Parse(until.GetString()!, CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Under the gate, so that no claim of before a fork comes behind it.</summary>
    private void Take(string? lineage, NpgsqlLogSequenceNumber durable, DateTimeOffset until)
    {
        lock (gate)
        {
            if (lineage == timeline)
            {
                position = durable > position ? durable : position;
                ledger.Claim(durable, until);
            }
        }
    }
}
