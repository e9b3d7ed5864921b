"""Botanists and mycologists whose surname in brackets behind a genus is an author, not a subgenus: `Aus (Hooker) Smith`.

Nothing in such a text tells the two apart; zoologists write a subgenus there, botanists the author of the basionym. gnparser
decides by the surnames of authors of plant genera, and so does `canonical_reader.py` with these.
"""

from typing import Final

_SURNAMES: Final = """
Schreber Walter Burret Buser Linnaeus Grunow
Acharius Acuña Adanson Aellen Afzelius Agardh Agassiz Ahlburg Airy Aiton Allen Allioni Alston Ames Arnold
Arnott Ascherson Atkinson Auerswald Backeberg Bailey Baillon Baker Balfour Banks Barbey Barnes Bartram Bas
Batsch Baumgarten Beauverd Beck Beddome Bellardi Bentham Berger Berkeley Berthelot Bertoloni Betche Bicknell
Bieberstein Bischoff Black Blake Blume Bobrov Boissier Bolton Bolus Bonpland Borbás Borhidi Bornmüller Bory
Boudier Brand Braun Bresadola Bridel Briquet Britton Brongniart Broome Brotero Brown Bruch Buchinger
Bulliard Bunge Bureau Burtt Busch Bâthie Béguinot Candolle Cardot Casaretto Castillo Cavanilles Cavara
Cesati Chamisso Chase Cheel Cheng Ching Chiovenda Chodat Chow Christ Christensen Chun Clarke Cogniaux
Compton Cooke Copeland Corda Coville Cowan Cuatrecasas Cunningham Curtis Dalzell Dandy Davy Decaisne
Degelius Deppe Desfontaines Diels Dillon Dinter Ditmar Dixon Dodson Domin Don Drake Dressler Drummond
Dumortier Dyer Döll Eaton Edgeworth Edwards Ehrenberg Eichler Ekman Ellis Elmer Endlicher Engler Everhart
Ewart Exell Fedde Fedtschenko Fenzl Fernald Finet Fischer Fleischer Flörke Forrest Forster Franchet Francis
Freyn Fries Fritsch Fuckel Fée Gagnepain Gamble Garay Garcke Gardner Gaudin Geheeb Gilg Gillet Glaziou
Gleason Gmelin Gottsche Graebner Gray Greene Greenman Gremli Gris Guillaumin Gussone Gümbel Hackel Hampe
Hance Hanstein Harms Hartman Harvey Hasskarl Hassler Hatusima Haussknecht Haworth Hayek Hedwig Heer
Hegetschweiler Heldreich Hemsley Hennings Hepp Heuffel Hiern Hilaire Hill Hitchcock Hochstetter Hoehne
Hoffmannsegg Holttum Honda Hooker Hopkins Hornschuch Hosokawa Houtte How Hultén Humboldt Hutchinson Höhnel
Ito Jack Jacobsen Janchen Jepson Johnston Jumelle Jussieu Juzepczuk Kanehira Kauffman Kaulfuss Keller Kerner
Killip Kindberg King Kitaibel Kitamura Klotzsch Knuth Koch Koidzumi Komarov Kotschy Kramer Krause Kuhn Kunth
Kuntze Kunze Kurz Körber Kühner Kützing Labillardière Lamarck Lange Leandri Lecomte Ledebour Lehmann Lemaire
Lesquereux Levyns León Lidén Limpricht Lindau Lindberg Linden Lindenberg Lindley Link Liou Lipsky Lloyd
Loesener Loeske Lojacono Lorentz Lowe Lynge Léveillé Löve Macbride Mackenzie Maekawa Magnus Magnusson Maiden
Maire Makino Mansfeld Marloth Martius Masamune Massalongo Massee Mattei Maximowicz Maxon Meisner Mendonça
Merrill Mettenius Meyer Mez Micheli Mikan Miller Miquel Mitten Moldenke Montagne Montrouzier Moore Moquin
Moritzi Mueller Murrill Müller Nakai Nash Naudin Nees Nel Nitschke Novák Nuttall Nylander Nyman Nyárády Ohba
Ohwi Oliver Opiz Ostenfeld Pabst Pallas Palmer Pampanini Parlatore Parry Patouillard Pavlov Pearson Peck
Pellegrin Pennell Perkins Perrier Persoon Petit Petrak Phillips Pichi Pierre Pilger Planchon Pohl Poiret
Popov Potier Prain Presl Quélet Rabenhorst Raddi Rafinesque Redhead Regel Rehder Rehm Reichenbach Retzius
Richard Ridley Ritter Robinson Rodrigues Rolfe Rollins Romagnesi Rose Ross Roth Rottboell Roxburgh Royle
Ruprecht Rydberg Räsänen Saccardo Saint Salisbury Salter Sasaki Savatier Savi Schaeffer Schiede Schimper
Schinz Schischkin Schlechtendal Schlechter Schott Schultes Schumacher Schumann Schur Schwantes Schweinfurth
Schweinitz Schönland Scribner Sermolli Shaw Siebold Sims Singer Small Smith Solander Sonder Sowerby Soó
Spach Spenner Sprague Sprengel Spruce Standley Stapf Stephani Sternberg Steudel Steven Steyermark Stocks
Summerhayes Swallen Swartz Sweet Sydow Tang Tardieu Targioni Tate Taubert Tausch Taylor Tenore Theissen
Thellung Thiselton Thonning Thunberg Thwaites Thériot Tode Torrey Trautvetter Treviranus Tryon Tulasne
Turczaninow Ulbrich Ule Underwood Unger Urban Vahl Vainio Van Vasey Vellozo Vieillard Vierhapper Villars
Virot Visiani Volkens Vvedensky Wahlenberg Wakefield Waldstein Wallich Wallroth Walpers Wang Warburg Warming
Warnstorf Watson Webb Weddell Welwitsch Werdermann Wettstein White Wight Willdenow Willis Willkomm Wilson
Winter Woodson Woronow Yamamoto Zahlbruckner Zollinger Zuccarini
"""

BOTANISTS: Final = frozenset(_SURNAMES.split())
