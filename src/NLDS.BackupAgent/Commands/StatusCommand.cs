using System.CommandLine;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Health;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Commands;

/// <summary><c>status</c>: asks the running agent over its port.</summary>
internal static class StatusCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static Command Create(CommandContext context)
    {
        var json = CommandContext.JsonOption();
        var command = new Command("status", "Ask the running agent how it is") { json };
        command.SetAction((parse, cancellationToken) => context.Answering(async () =>
        {
            var agent = context.Load(parse).Agent;
            var address = Address(agent);
            var text = await AskAsync(address, agent.Token, cancellationToken);
            if (parse.GetValue(json))
            {
                context.Around.Out.WriteLine(text);
            }
            else
            {
                StatusText.Write(Parse(text, address), context.Around.Out, context.Around.Time.GetUtcNow());
            }

            return ExitCode.Done;
        }));
        return command;
    }

    /// <summary>Where to ask: an agent that listens everywhere is asked here.</summary>
    public static Uri Address(AgentOptions agent)
    {
        var url = agent.UrlList[0];
        foreach (var everywhere in new[] { "//*", "//+", "//0.0.0.0", "//[::]" })
        {
            url = url.Replace(everywhere, "//127.0.0.1", StringComparison.Ordinal);
        }

        return new Uri(new Uri(url), "/status");
    }

    private static async Task<string> AskAsync(Uri address, string? token, CancellationToken cancellationToken)
    {
        using var client = new HttpClient { Timeout = Patience };
        client.DefaultRequestHeaders.Authorization = token is { Length: > 0 } ? new AuthenticationHeaderValue("Bearer", token) : null;
        try
        {
            using var answer = await client.GetAsync(address, cancellationToken);
            if (answer.StatusCode == HttpStatusCode.Unauthorized)
            {
                throw new SourceException($"The agent at {address} shows its status to holders of its token. Set Agent:Token to what it has.", isPermanent: true);
            }

            return answer.IsSuccessStatusCode
                ? await answer.Content.ReadAsStringAsync(cancellationToken)
                : throw new SourceException($"{address} answered {(int)answer.StatusCode}. Is another program on this port? Set Agent:Urls.", isPermanent: false);
        }
        catch (Exception unreachable) when (unreachable is HttpRequestException || (unreachable is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new SourceException($"No agent answers at {address}. Start it with 'run', or set Agent:Urls to where it listens.", isPermanent: false, unreachable);
        }
    }

    private static StatusDocument Parse(string text, Uri address)
    {
        try
        {
            return JsonSerializer.Deserialize(text, ReportJson.Default.StatusDocument) ?? throw new JsonException();
        }
        catch (JsonException foreign)
        {
            throw new SourceException($"What answers at {address} is not a backup agent of this version. Set Agent:Urls.", isPermanent: true, foreign);
        }
    }
}
