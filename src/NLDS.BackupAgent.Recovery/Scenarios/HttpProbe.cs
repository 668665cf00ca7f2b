namespace NLDS.BackupAgent.Recovery.Scenarios;

/// <summary>One request to an address; whatever is no success is words.</summary>
internal sealed class HttpProbe : IDisposable
{
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(10);

    private readonly HttpClient client = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero }) { Timeout = AnswerTime };

    /// <returns>Null when it answered with success; otherwise what came instead.</returns>
    public async Task<string?> AskAsync(Uri address, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await client.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return answer.IsSuccessStatusCode ? null : $"answered {(int)answer.StatusCode} ({answer.ReasonPhrase})";
        }
        catch (HttpRequestException failure)
        {
            return $"cannot be reached: {failure.Message}";
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"did not answer within {AnswerTime.TotalSeconds:F0} s";
        }
    }

    public void Dispose() => client.Dispose();
}
